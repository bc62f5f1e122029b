import type { Dirent } from 'node:fs';
import { lstat, opendir } from 'node:fs/promises';
import { join } from 'node:path';

import { MAX_DEPTH, NEVER_ENTERED } from './input-bounds.ts';

export interface TreeFile {
  /** Relative to the root of the tree, with `/`. */
  readonly name: string;
  readonly path: string;
  readonly isLink: boolean;
}

export interface Tree {
  /** Files and symbolic links, which are not followed; sorted by name. */
  readonly files: readonly TreeFile[];
  /** Directories that were listed, absolute, the root first. */
  readonly directories: readonly string[];
  /** There was more than the bounds allow; then what is listed is not all. */
  readonly isCut: boolean;
}

export interface TreeOptions {
  /** Asked for each file with its name, for each directory with a `/` behind it. */
  readonly wants: (name: string) => boolean;
  readonly maxFiles: number;
  /** How many entries may still be listed, and what it may still take to ask about them; both are counted down. */
  readonly entries: { left: number };
  readonly effort: { left: number };
  /** What it takes to ask about a name, per character of it. */
  readonly effortOfName: number;
}

const PAUSE_AFTER = 20_000_000;

/** Lists what lies below a directory, never below `.git` and `node_modules`. Never rejects. */
export async function listTree(root: string, options: TreeOptions): Promise<Tree> {
  const files: TreeFile[] = [];
  const directories: string[] = [];
  let sincePause = 0;
  const cut = (): Tree => ({ files: [], directories, isCut: true });
  const found: { readonly path: string; readonly name: string; readonly depth: number }[] = [
    { path: root, name: '', depth: 0 },
  ];
  for (const at of found) {
    const listed = await list(at.path, options.entries);
    if (listed === undefined) return cut();
    directories.push(at.path);
    for (const entry of listed) {
      const name = at.name + entry.name;
      const effort = options.effortOfName * name.length;
      options.effort.left -= effort;
      if (options.effort.left < 0) return cut();
      // To wait for the file system gives everybody else a turn.
      if ((sincePause += effort) > PAUSE_AFTER)
        sincePause = await lstat(at.path).then(
          () => 0,
          () => 0,
        );
      const path = join(at.path, entry.name);
      // Some file systems do not tell what an entry is.
      const kind = kindOf(entry) ?? (await lstat(path).then(kindOf, () => undefined));
      if (kind === 'directory') {
        if (NEVER_ENTERED.has(entry.name) || !options.wants(`${name}/`)) continue;
        if (at.depth === MAX_DEPTH) return cut();
        found.push({ path, name: `${name}/`, depth: at.depth + 1 });
      } else if (kind !== undefined && options.wants(name)) {
        if (files.push({ name, path, isLink: kind === 'link' }) > options.maxFiles) return cut();
      }
    }
  }
  files.sort((a, b) => (a.name < b.name ? -1 : 1));
  return { files, directories, isCut: false };
}

/** What cannot be listed, or is gone again, holds nothing for us. `undefined` when there is too much. */
async function list(path: string, entries: { left: number }): Promise<readonly Dirent[] | undefined> {
  const listed: Dirent[] = [];
  entries.left--;
  try {
    for await (const entry of await opendir(path, { bufferSize: 512 })) {
      if (--entries.left < 0) return undefined;
      listed.push(entry);
    }
  } catch {
    return [];
  }
  return listed;
}

function kindOf(entry: {
  isDirectory(): boolean;
  isFile(): boolean;
  isSymbolicLink(): boolean;
}): 'directory' | 'file' | 'link' | undefined {
  if (entry.isDirectory()) return 'directory';
  if (entry.isSymbolicLink()) return 'link';
  return entry.isFile() ? 'file' : undefined;
}
