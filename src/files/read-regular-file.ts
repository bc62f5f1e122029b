import { constants } from 'node:fs';
import { open, stat, type FileHandle } from 'node:fs/promises';

/** What a path that a workspace chose holds. */
export type RegularFile =
  | { readonly kind: 'read'; readonly bytes: Buffer; readonly modifiedAt: number }
  | { readonly kind: 'not-regular' }
  | { readonly kind: 'too-large' };

/**
 * Reads a file of a workspace, which may be anything: a pipe, a link to a device, a file without end.
 *
 * INVARIANTS
 * - Nothing but a regular file is opened for long, and a pipe or device never holds up the thread that opens it.
 * - At most `maxBytes` and one are read, and little more memory is taken than the file is large: a pass can read a
 *   thousand files at the same time.
 *
 * Rejects with the file system's error.
 */
export async function readRegularFile(path: string, maxBytes: number): Promise<RegularFile> {
  // Opening alone can do something to a device.
  if (!(await stat(path)).isFile()) return { kind: 'not-regular' };
  let file: FileHandle | undefined;
  try {
    // Not blocking, and looked at again: it can have become a pipe meanwhile.
    file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const status = await file.stat();
    if (!status.isFile()) return { kind: 'not-regular' };
    const bytes = await readAtMost(file, status.size, maxBytes + 1);
    return bytes.length > maxBytes ? { kind: 'too-large' } : { kind: 'read', bytes, modifiedAt: status.mtimeMs };
  } finally {
    await file?.close().catch(() => {});
  }
}

async function readAtMost(file: FileHandle, expected: number, max: number): Promise<Buffer> {
  // One byte more than expected, to see the end of the file.
  let buffer = Buffer.allocUnsafe(Math.min(max, expected + 1));
  let length = 0;
  while (length < max) {
    if (length === buffer.length) buffer = Buffer.concat([buffer], Math.min(max, 2 * length));
    const { bytesRead } = await file.read(buffer, length, buffer.length - length, null);
    if (bytesRead === 0) break;
    length += bytesRead;
  }
  return buffer.subarray(0, length);
}
