// INVARIANTS
// - What is done below a folder is done below the very folder that was opened, whatever its path leads to meanwhile.
// - No link below it is followed.
import { constants, type Stats } from 'node:fs';
import { access, type FileHandle, lstat, mkdir, open, readdir, realpath, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { AgentContainersError } from '../../errors.ts';
import { localError, missing } from './local-error.ts';

/** A folder of this machine that is held open; others may move and replace what lies there at any time. */
export interface LocalFolder {
  /** For people only. */
  readonly path: string;
  /** Of itself, as it was when it was opened. */
  readonly stat: Stats;
  /** Of an entry; a link is shown as itself. `undefined` when there is nothing. */
  statOf(name: string): Promise<Stats | undefined>;
  names(): Promise<string[]>;
  /** Opens a folder in it. */
  enter(name: string): Promise<LocalFolder>;
  /** Makes a folder in it. */
  make(name: string, mode: number): Promise<void>;
  /** Opens an entry without waiting, whatever it is. */
  open(name: string, flags: number, mode?: number): Promise<FileHandle>;
  /** Rejects when the entry, or what it leads to, may not be written. */
  checkWritable(name: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  remove(name: string): Promise<void>;
  close(): Promise<void>;
}

const FOLDER_FLAGS = constants.O_RDONLY | (constants.O_DIRECTORY ?? 0);
const ENTRY_FLAGS = (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);

/**
 * Opens a folder that a person named: links on the way to it are followed, once.
 *
 * @param hasDescriptorPaths whether a path can begin at an open folder; found out when it is left out
 */
export async function openLocalFolder(path: string, hasDescriptorPaths?: boolean): Promise<LocalFolder> {
  try {
    const at = await realpath(path);
    const handle = await open(at, FOLDER_FLAGS | ENTRY_FLAGS);
    return await hold(handle, at, path, hasDescriptorPaths);
  } catch (error) {
    throw localError(error);
  }
}

/** @param at where it was found, without a link on the way */
async function hold(
  handle: FileHandle,
  at: string,
  path: string,
  hasDescriptorPaths: boolean | undefined,
): Promise<LocalFolder> {
  try {
    const own = await handle.stat();
    if (!own.isDirectory()) throw new AgentContainersError('invalid-request', `Using ${path} failed: it is no folder.`);
    const byDescriptor = `/proc/self/fd/${handle.fd}`;
    const isByDescriptor = hasDescriptorPaths ?? (await isSame(byDescriptor, own));
    const base = isByDescriptor ? byDescriptor : at;
    return createFolder({ handle, at, path, own, base, isByDescriptor });
  } catch (error) {
    await handle.close();
    throw error;
  }
}

function createFolder(held: {
  readonly handle: FileHandle;
  readonly at: string;
  readonly path: string;
  readonly own: Stats;
  readonly base: string;
  readonly isByDescriptor: boolean;
}): LocalFolder {
  const { handle, at, path, own, base, isByDescriptor } = held;

  /** Where a path cannot begin at an open folder, it must still lead there: a swap is found before and after. */
  async function check(): Promise<void> {
    if (isByDescriptor) return;
    const now = await realpath(at).catch(missing);
    if (now === at && (await isSame(at, own))) return;
    throw new AgentContainersError('invalid-request', `Using ${path} failed: another folder has taken its place.`);
  }
  /** Its own name may differ, where a file system ignores case. */
  async function placeOf(name: string): Promise<string> {
    if (isByDescriptor) return join(at, name);
    const place = await realpath(join(at, name));
    if (dirname(place) === at) return place;
    throw new AgentContainersError('invalid-request', `Using ${join(path, name)} failed: it leads elsewhere.`);
  }
  async function within<T>(work: () => Promise<T>): Promise<T> {
    try {
      await check();
      return await work();
    } catch (error) {
      throw localError(error);
    }
  }
  /** What was opened elsewhere is not used. */
  async function checked(opened: FileHandle): Promise<FileHandle> {
    try {
      await check();
      return opened;
    } catch (error) {
      await opened.close();
      throw error;
    }
  }

  return {
    path,
    stat: own,
    statOf: (name) => within(() => lstat(join(base, name)).catch(missing)),
    names: () =>
      within(async () => {
        const names = await readdir(base);
        await check();
        return names;
      }),
    enter: (name) =>
      within(async () => {
        const child = await checked(await open(join(base, name), FOLDER_FLAGS | ENTRY_FLAGS));
        return hold(child, await placeOf(name), join(path, name), isByDescriptor);
      }),
    make: (name, mode) => within(() => mkdir(join(base, name), { mode })).then(() => {}),
    open: (name, flags, mode) => within(async () => checked(await open(join(base, name), flags | ENTRY_FLAGS, mode))),
    checkWritable: (name) => within(() => access(join(base, name), constants.W_OK)),
    // Both have the same folder before them: in another one that took its place there is no such name to rename.
    rename: (from, to) => within(() => rename(join(base, from), join(base, to))),
    remove: (name) => within(() => rm(join(base, name), { force: true })),
    close: () => handle.close(),
  };
}

async function isSame(path: string, { dev, ino }: Stats): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  return found !== undefined && found.dev === dev && found.ino === ino;
}
