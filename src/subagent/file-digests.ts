import { createHash } from 'node:crypto';
import { open, stat } from 'node:fs/promises';
import { HEAD_BYTES, inspectExecutable } from './inspect-executable.ts';
import type { ExecutableFormat } from './inspect-executable.ts';

export interface FileDigest {
  /** Hex. */
  readonly sha256: string;
  /** Bytes. */
  readonly size: number;
  readonly format: ExecutableFormat;
}

/** Digests of files, each computed once for as long as size, inode and times of the file stay the same. */
export interface FileDigests {
  /** Rejects with the file system's error, or one that says that it is no regular file. */
  digest(path: string, signal?: AbortSignal): Promise<FileDigest>;
}

const CHUNK_BYTES = 1_048_576;

/** @param limit how many files are remembered; the one used least recently goes first */
export function createFileDigests(limit = 64): FileDigests {
  const known = new Map<string, { readonly stamp: string; readonly digest: FileDigest }>();
  return {
    async digest(path, signal) {
      const stamp = await stampOf(path);
      const entry = known.get(path);
      known.delete(path);
      if (entry?.stamp === stamp) {
        known.set(path, entry);
        return entry.digest;
      }
      const digest = await computeDigest(path, signal);
      // Only what did not change while it was read is remembered.
      if ((await stampOf(path)) === stamp) known.set(path, { stamp, digest });
      for (const oldest of known.keys()) {
        if (known.size <= limit) break;
        known.delete(oldest);
      }
      return digest;
    },
  };
}

async function stampOf(path: string): Promise<string> {
  const stats = await stat(path, { bigint: true });
  if (!stats.isFile()) throw new Error(`${path} is not a regular file`);
  return [stats.dev, stats.ino, stats.size, stats.mtimeNs, stats.ctimeNs].join(':');
}

async function computeDigest(path: string, signal?: AbortSignal): Promise<FileDigest> {
  const file = await open(path, 'r');
  try {
    const hash = createHash('sha256');
    const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
    let head: Buffer = Buffer.alloc(0);
    let size = 0;
    for (;;) {
      signal?.throwIfAborted();
      const { bytesRead } = await file.read(chunk, 0, CHUNK_BYTES, size);
      if (bytesRead === 0) break;
      const bytes = chunk.subarray(0, bytesRead);
      hash.update(bytes);
      if (head.length < HEAD_BYTES) head = Buffer.concat([head, bytes.subarray(0, HEAD_BYTES - head.length)]);
      size += bytesRead;
    }
    return { sha256: hash.digest('hex'), size, format: inspectExecutable(head) };
  } finally {
    await file.close();
  }
}
