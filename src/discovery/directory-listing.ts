import type { Dirent } from 'node:fs';
import { lstat, opendir, readdir } from 'node:fs/promises';
import { join } from 'node:path';

/** What of a directory matters to whoever looks for projects. */
export interface DirectoryListing {
  /** Names, sorted, without symbolic links and without those in {@link NEVER_ENTERED}. */
  readonly directories: readonly string[];
  /** It holds `.git`: a directory, a file or a link to one. */
  readonly isProject: boolean;
  /** It may hold a configuration at one of the three places. */
  readonly mayHoldConfigs: boolean;
  readonly hasIgnoreFile: boolean;
  /** There are more entries than were read. */
  readonly isTruncated: boolean;
}

/** What is in these is no project of anybody, or is looked at for its own sake. */
const NEVER_ENTERED: ReadonlySet<string> = new Set(['.git', 'node_modules', '.devcontainer']);

/** A directory takes at least about so many bytes for each of its entries, on file systems that count them. */
const BYTES_PER_ENTRY = 16;

/**
 * Reads at most `maxEntries` entries; the names that matter are looked up also beyond that. A link to a directory is none.
 * Rejects with the file system's error.
 */
export async function listDirectory(path: string, maxEntries: number): Promise<DirectoryListing> {
  const { entries, isTruncated } = await readEntries(path, maxEntries);
  const special = new Map<string, Pick<Dirent, 'isFile' | 'isDirectory' | 'isSymbolicLink'>>();
  for (const entry of entries) if (SPECIAL.includes(entry.name)) special.set(entry.name, entry);
  for (const name of isTruncated ? SPECIAL : []) {
    const status = special.has(name) ? undefined : await lstat(join(path, name)).catch(() => undefined);
    if (status) special.set(name, status);
  }
  const git = special.get('.git');
  return {
    directories: entries
      .filter((entry) => entry.isDirectory() && !NEVER_ENTERED.has(entry.name))
      .map(({ name }) => name)
      .sort(),
    isProject: git !== undefined && (git.isDirectory() || git.isFile() || git.isSymbolicLink()),
    mayHoldConfigs: special.has('.devcontainer') || special.has('.devcontainer.json'),
    // Git follows no link to one either.
    hasIgnoreFile: special.get('.gitignore')?.isFile() === true,
    isTruncated,
  };
}

async function readEntries(
  path: string,
  max: number,
): Promise<{ readonly entries: readonly Dirent[]; readonly isTruncated: boolean }> {
  const status = await lstat(path);
  if (!status.isDirectory()) throw Object.assign(new Error(`ENOTDIR: ${path} is no directory`), { code: 'ENOTDIR' });
  if (status.size <= max * BYTES_PER_ENTRY) {
    // All at once takes a quarter of the time, and most directories are small.
    const all = await readdir(path, { withFileTypes: true });
    return { entries: all.slice(0, max), isTruncated: all.length > max };
  }
  const entries: Dirent[] = [];
  // Ends the directory also when it is left early.
  for await (const entry of await opendir(path, { bufferSize: 128 })) {
    if (entries.length === max) return { entries, isTruncated: true };
    entries.push(entry);
  }
  return { entries, isTruncated: false };
}

const SPECIAL: readonly string[] = ['.git', '.gitignore', '.devcontainer', '.devcontainer.json'];
