import { randomBytes } from 'node:crypto';
import { constants, type Stats } from 'node:fs';
import { type FileHandle, open, realpath, stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { AgentContainersError } from '../../errors.ts';
import { localError, missing } from './local-error.ts';
import { type LocalFolder, openLocalFolder } from './local-folder.ts';

const READ_BYTES = 64 * 1_024;
/** Between two looks at a pipe that takes nothing. */
const PIPE_MS = 20;

/** Of what a person named: links are followed. `undefined` when there is nothing. */
export function statOf(path: string): Promise<Stats | undefined> {
  return stat(path).catch(missing);
}

/** Opens a file that a person named, without waiting if it is none. */
export async function openNamed(path: string): Promise<FileHandle> {
  try {
    return await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  } catch (error) {
    throw localError(error);
  }
}

/** Bytes of a file; a failure is told as one of this machine, not of the connection that they go over. */
export async function* readLocal(file: FileHandle): AsyncGenerator<Uint8Array> {
  try {
    for (;;) {
      const buffer = Buffer.allocUnsafe(READ_BYTES);
      const { bytesRead } = await file.read(buffer, 0, buffer.length, null);
      if (bytesRead === 0) return;
      yield buffer.subarray(0, bytesRead);
    }
  } catch (error) {
    throw localError(error);
  }
}

/**
 * Writes an entry of the folder under another name beside it and renames it when it is whole; before that nothing is
 * there under its own name, or what was there. A link in its place is replaced.
 *
 * @param mode of a new file, less what the umask takes; one that is replaced keeps its own
 */
export async function writeLocal(
  folder: LocalFolder,
  name: string,
  content: AsyncIterable<Uint8Array>,
  mode: number,
): Promise<void> {
  const before = await folder.statOf(name);
  if (before?.isDirectory() === true) throw refused('there is a folder of that name');
  if (before !== undefined && !before.isFile() && !before.isSymbolicLink()) {
    throw refused('there is something that is neither a file nor a folder');
  }
  const temporary = `.${name.slice(0, 60)}.${randomBytes(6).toString('hex')}.part`;
  try {
    // Replacing it must not do what writing to it could not.
    if (before?.isFile() === true) await folder.checkWritable(name);
    const file = await folder.open(temporary, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
    try {
      for await (const bytes of content) await writeAll(file, bytes);
      await file.chmod(before?.isFile() === true ? before.mode & 0o7777 : mode & 0o777 & ~process.umask());
    } finally {
      await file.close();
    }
    await folder.rename(temporary, name);
  } catch (error) {
    await folder.remove(temporary).catch(() => {});
    throw localError(error);
  }
}

/** The same for what a person named: a link is followed; devices and pipes are written to, as long as none waits for us. */
export async function writeNamed(
  path: string,
  content: AsyncIterable<Uint8Array>,
  mode: number,
  signal: AbortSignal,
): Promise<void> {
  const before = await statOf(path);
  if (before?.isDirectory() === true) throw refused('there is a folder of that name');
  try {
    if (before !== undefined && !before.isFile()) return await writeInto(path, content, before.isFIFO(), signal);
    const target = before === undefined ? path : await realpath(path);
    const folder = await openLocalFolder(dirname(target));
    try {
      await writeLocal(folder, basename(target), content, mode);
    } finally {
      await folder.close();
    }
  } catch (error) {
    throw localError(error);
  }
}

async function writeInto(
  path: string,
  content: AsyncIterable<Uint8Array>,
  isPipe: boolean,
  signal: AbortSignal,
): Promise<void> {
  const flags = constants.O_WRONLY | constants.O_TRUNC | (constants.O_NONBLOCK ?? 0);
  // A pipe has a reader at some time, or never.
  const file = await patiently(() => open(path, flags), isPipe ? 'ENXIO' : undefined, signal);
  try {
    for await (const bytes of content) {
      for (let at = 0; at < bytes.length;) {
        at += await patiently(async () => (await file.write(bytes, at)).bytesWritten, 'EAGAIN', signal);
      }
    }
  } finally {
    await file.close();
  }
}

/** Never blocked in the kernel, from where nothing brings the process back. */
async function patiently<T>(work: () => Promise<T>, again: string | undefined, signal: AbortSignal): Promise<T> {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (again === undefined || (error as NodeJS.ErrnoException).code !== again) throw error;
    }
    await delay(PIPE_MS, undefined, { signal });
  }
}

async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += (await file.write(bytes, at)).bytesWritten;
}

function refused(why: string): AgentContainersError {
  return new AgentContainersError('invalid-request', `Writing the file failed: ${why}.`);
}
