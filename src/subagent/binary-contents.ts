import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import type { SubAgentBinary } from '../agentcontainers/ports.ts';
import { createFileDigests } from './file-digests.ts';
import type { ExecutableFormat } from './inspect-executable.ts';
import type { LauncherLimits } from './limits.ts';

/** The bytes of one executable; whatever is sent of it has the digest that was promised. */
export interface BinaryContent {
  readonly size: number;
  readonly format: ExecutableFormat;
  /** All of it when it is small enough to be kept, else `undefined`: then use `stream`. */
  whole(): Promise<Uint8Array | undefined>;
  /** Rejects at the end when the file was changed meanwhile. */
  stream(): AsyncIterable<Uint8Array>;
}

export interface BinaryContents {
  /** Rejects when the file cannot be read or has another digest. The message is a reason, not a whole sentence. */
  open(binary: SubAgentBinary, signal: AbortSignal): Promise<BinaryContent>;
}

interface Cached {
  readonly bytes: Uint8Array;
  readonly format: ExecutableFormat;
}

/** Keeps small files in memory by digest, the least recently used going first. */
export function createBinaryContents(limits: Pick<LauncherLimits, 'cachedBytes' | 'cachedFileBytes'>): BinaryContents {
  const digests = createFileDigests();
  const cache = new Map<string, Cached>();

  function remember(sha256: string, entry: Cached): void {
    cache.delete(sha256);
    cache.set(sha256, entry);
    let total = 0;
    for (const { bytes } of cache.values()) total += bytes.length;
    for (const [oldest, { bytes }] of cache) {
      if (total <= limits.cachedBytes || cache.size === 1) return;
      cache.delete(oldest);
      total -= bytes.length;
    }
  }

  return {
    async open({ path, sha256 }, signal) {
      const cached = cache.get(sha256);
      if (cached) {
        remember(sha256, cached);
        return contentOf(cached);
      }
      const digest = await digests.digest(path, signal);
      if (digest.sha256 !== sha256) throw changed(path);
      const { size, format } = digest;
      return {
        size,
        format,
        stream: () => readVerified(path, sha256),
        async whole() {
          if (size > limits.cachedFileBytes) return undefined;
          const bytes = await readFile(path, { signal });
          if (createHash('sha256').update(bytes).digest('hex') !== sha256) throw changed(path);
          remember(sha256, { bytes, format });
          return bytes;
        },
      };
    },
  };
}

function contentOf({ bytes, format }: Cached): BinaryContent {
  return {
    size: bytes.length,
    format,
    whole: () => Promise.resolve(bytes),
    async *stream() {
      yield bytes;
    },
  };
}

async function* readVerified(path: string, sha256: string): AsyncGenerator<Uint8Array> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path, { highWaterMark: 262_144 }) as AsyncIterable<Buffer>) {
    hash.update(chunk);
    yield chunk;
  }
  if (hash.digest('hex') !== sha256) throw changed(path);
}

function changed(path: string): Error {
  return new Error(`${path} was changed since it was chosen`);
}
