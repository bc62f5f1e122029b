import { lstat, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

/** More entries than this are not looked at one by one; the directory's own times still tell of most changes. */
const MAX_ENTRIES = 5_000;
const BATCH = 64;

/**
 * Which directory a path leads to just now; `undefined` when to none. Equal texts mean the same directory; one that was
 * removed and made again is another, also when it got the same inode.
 */
export async function directoryIdentity(path: string): Promise<string | undefined> {
  try {
    const status = await stat(path, { bigint: true });
    return status.isDirectory() ? `${status.dev}:${status.ino}:${status.birthtimeNs}` : undefined;
  } catch {
    return undefined;
  }
}

/** A text that changes when anything directly inside the directory does, or the directory itself. Never throws. */
export async function directorySignature(path: string): Promise<string> {
  try {
    const own = await stat(path, { bigint: true });
    const names = (await readdir(path)).sort();
    const parts = [`${own.dev}:${own.ino}:${own.mtimeNs}:${own.ctimeNs}:${names.length}`];
    for (let from = 0; from < Math.min(names.length, MAX_ENTRIES); from += BATCH) {
      const batch = names.slice(from, Math.min(from + BATCH, MAX_ENTRIES));
      parts.push(...(await Promise.all(batch.map((name) => entrySignature(join(path, name), name)))));
    }
    return parts.join('\n');
  } catch (error) {
    return `not listed: ${(error as NodeJS.ErrnoException).code ?? 'unknown reason'}`;
  }
}

async function entrySignature(path: string, name: string): Promise<string> {
  try {
    const status = await lstat(path, { bigint: true });
    // What is inside a directory below is not our business, and neither are its times.
    if (status.isDirectory()) return `${name}/ ${status.ino}`;
    return `${name} ${status.ino}:${status.size}:${status.mtimeNs}:${status.ctimeNs}`;
  } catch {
    return `${name} gone`;
  }
}
