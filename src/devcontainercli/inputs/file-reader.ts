import { createHash } from 'node:crypto';
import { constants, type BigIntStats } from 'node:fs';
import { open, readlink, realpath, stat, type FileHandle } from 'node:fs/promises';
import { sep } from 'node:path';

import type { Clock } from '../../clock/clock.ts';

/** Why there is nothing to read at a path that something names. */
export type Absence = 'missing' | 'not-regular' | 'unreadable' | 'too-large';

export interface FileHash {
  readonly kind: 'file';
  /** Hex. */
  readonly sha256: string;
  readonly executable: boolean;
  /** Bytes. */
  readonly size: number;
  /** ms */
  readonly modifiedAt: number;
  /** Another text whenever the file was written or exchanged, also when it says the same as before. */
  readonly identity: string;
}

export interface FileContent extends FileHash {
  readonly bytes: Buffer;
  /** Where the bytes were read, whatever the path leads to by now. */
  readonly realPath: string;
}

/** What is known of a path already. */
export interface KnownPath {
  /** It was its own real path a moment ago. */
  readonly isReal: boolean;
}

/** Reads files of a workspace, which may be anything. Nothing here rejects. */
export interface FileReader {
  hash(path: string, maxBytes: number, known?: KnownPath): Promise<FileHash | { readonly kind: Absence }>;
  read(path: string, maxBytes: number, known?: KnownPath): Promise<FileContent | { readonly kind: Absence }>;
}

/** A regular file, and not one of the kernel. */
interface OpenedFile {
  readonly file: FileHandle;
  readonly status: BigIntStats;
  readonly realPath: string;
  /** Before anything of it was looked at. */
  readonly startedAt: number;
}

const CHUNK_BYTES = 64 * 1024;
const MOST_KNOWN = 20_000;
/** A file system may count times in steps of this: a file that changed just now can change again unseen. ms */
const SETTLED_AFTER = 2_000;
/** What lies here is made by the kernel when it is read, and reading can change something. */
const KERNEL = ['/proc', '/sys', '/dev'];
const NOTHING_KNOWN: KnownPath = { isReal: false };

/**
 * INVARIANTS
 * - Only regular files are opened for long; a pipe or device never holds up a thread, and nothing is read below `/proc`,
 *   `/sys` and `/dev`.
 * - A hash is taken from memory only for the same inode with the same size and times, and only when the change that it
 *   stands for was over for a while when it was read.
 */
export function createFileReader(clock: Clock): FileReader {
  const known = new Map<string, string>();

  function remember(status: BigIntStats, sha256: string, startedAt: number): void {
    // The change time cannot be set by anybody, unlike the modification time.
    if (Number(status.ctimeMs) > startedAt - SETTLED_AFTER) return;
    if (known.size >= MOST_KNOWN) known.clear();
    known.set(identityOf(status), sha256);
  }

  async function withFile<T>(
    path: string,
    maxBytes: number,
    isReal: boolean,
    look: (status: BigIntStats) => T | undefined,
    use: (opened: OpenedFile) => Promise<T | { readonly kind: Absence }>,
  ): Promise<T | { readonly kind: Absence }> {
    const startedAt = clock.now();
    let file: FileHandle | undefined;
    try {
      const status = await stat(path, { bigint: true });
      // Opening alone can do something to a device.
      if (!status.isFile()) return { kind: 'not-regular' };
      if (status.size > maxBytes) return { kind: 'too-large' };
      const found = look(status);
      if (found !== undefined) return found;
      if (isOfKernel(isReal ? path : await realpath(path))) return { kind: 'not-regular' };
      // Not blocking, and looked at again: it can have become a pipe meanwhile.
      file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
      const opened = await file.stat({ bigint: true });
      if (!opened.isFile()) return { kind: 'not-regular' };
      const realPath = await realPathOf(file, path);
      // What was known, or looked at before it was opened, may have changed.
      if (isOfKernel(realPath)) return { kind: 'not-regular' };
      return await use({ file, status: opened, realPath, startedAt });
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      return { kind: code === 'ENOENT' || code === 'ENOTDIR' ? 'missing' : 'unreadable' };
    } finally {
      await file?.close().catch(() => {});
    }
  }

  return {
    hash: (path, maxBytes, { isReal } = NOTHING_KNOWN) =>
      withFile<FileHash>(
        path,
        maxBytes,
        isReal,
        (status) => {
          const sha256 = known.get(identityOf(status));
          return sha256 === undefined ? undefined : { kind: 'file', sha256, ...describe(status) };
        },
        async ({ file, status, startedAt }) => {
          const digest = createHash('sha256');
          const size = await readChunks(file, status.size, maxBytes, (chunk) => digest.update(chunk));
          if (size === undefined) return { kind: 'too-large' };
          const sha256 = digest.digest('hex');
          const after = await file.stat({ bigint: true });
          if (identityOf(after) === identityOf(status)) remember(after, sha256, startedAt);
          // As it was before it was read: what was written meanwhile was maybe not seen.
          return { kind: 'file', sha256, ...describe(after), size, identity: identityOf(status) };
        },
      ),
    read: (path, maxBytes, { isReal } = NOTHING_KNOWN) =>
      withFile<FileContent>(
        path,
        maxBytes,
        isReal,
        () => undefined,
        async ({ file, status, realPath }) => {
          const chunks: Buffer[] = [];
          const size = await readChunks(file, status.size, maxBytes, (chunk) => chunks.push(Buffer.from(chunk)));
          if (size === undefined) return { kind: 'too-large' };
          const bytes = Buffer.concat(chunks);
          const sha256 = createHash('sha256').update(bytes).digest('hex');
          return { kind: 'file', sha256, ...describe(status), size, bytes, realPath };
        },
      ),
  };
}

function identityOf(status: BigIntStats): string {
  return `${status.dev}:${status.ino}:${status.size}:${status.mtimeNs}:${status.ctimeNs}`;
}

function describe(status: BigIntStats): Pick<FileHash, 'executable' | 'size' | 'modifiedAt' | 'identity'> {
  return {
    executable: (status.mode & 0o111n) !== 0n,
    size: Number(status.size),
    modifiedAt: Number(status.mtimeNs) / 1e6,
    identity: identityOf(status),
  };
}

function isOfKernel(realPath: string): boolean {
  return KERNEL.some((place) => realPath === place || realPath.startsWith(`${place}${sep}`));
}

/** The number of bytes, or `undefined` when there are more than `maxBytes`. */
async function readChunks(
  file: FileHandle,
  expected: bigint,
  maxBytes: number,
  take: (chunk: Buffer) => unknown,
): Promise<number | undefined> {
  // Little more than the file is large, since many are read at the same time; one byte more to see its end.
  const buffer = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, Number(expected) + 1));
  for (let size = 0; ;) {
    const { bytesRead } = await file.read(buffer, 0, buffer.length, null);
    if (bytesRead === 0) return size;
    size += bytesRead;
    if (size > maxBytes) return undefined;
    take(buffer.subarray(0, bytesRead));
    // It is as large as it said, and there was room for more: this is its end.
    if (BigInt(size) === expected && bytesRead < buffer.length) return size;
  }
}

/** Linux tells it of the open file itself, so that no link that was changed meanwhile counts. */
async function realPathOf(file: FileHandle, path: string): Promise<string> {
  return readlink(`/proc/self/fd/${file.fd}`).catch(() => realpath(path));
}
