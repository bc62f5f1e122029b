import { realpath } from 'node:fs/promises';
import { basename, dirname, join, relative, sep } from 'node:path';
import { listDirectory } from './directory-listing.ts';
import { readIgnoreFile } from './git-files.ts';
import type { IgnoreRules } from './ignore-rules.ts';

/** Copies that editors and people make of a folder. */
const BACKUP_NAME = /~$|^\.?#|\.(bak|old|orig|tmp|sw[a-p])$/i;
/** More named configurations than this in one project are found, but not watched. */
const MAX_NAMED_FOLDERS = 50;

/**
 * Configurations of a project at the three places of the specification: those that git does not ignore, that are no
 * backup copy, and that lie below the root, wherever links on the way to them lead.
 *
 * @param findConfigs all that exist, as paths below `folder`
 */
export async function projectConfigs(
  folder: string,
  root: string,
  rules: IgnoreRules,
  findConfigs: (realFolder: string) => Promise<readonly string[]>,
): Promise<string[]> {
  const found: string[] = [];
  const within = new Map<string, IgnoreRules>([[folder, rules]]);
  for (const path of await findConfigs(folder)) {
    const isNamed = dirname(dirname(path)) !== folder && dirname(path) !== folder;
    if (isNamed && BACKUP_NAME.test(basename(dirname(path)))) continue;
    if (await isIgnored(path, folder, within)) continue;
    const real = await realpath(path).catch(() => undefined);
    if (real !== undefined && isBelow(real, root)) found.push(path);
  }
  return found;
}

/** Directories in which a configuration of the project may appear or go, besides its own. */
export async function configFolders(folder: string): Promise<string[]> {
  const path = join(folder, '.devcontainer');
  try {
    const { directories } = await listDirectory(path, 1_000);
    return [path, ...directories.slice(0, MAX_NAMED_FOLDERS).map((name) => join(path, name))];
  } catch {
    return [];
  }
}

/** @param known rules in directories that were looked into */
async function isIgnored(path: string, folder: string, known: Map<string, IgnoreRules>): Promise<boolean> {
  const names = relative(folder, path).split(sep);
  let at = folder;
  let rules = known.get(folder);
  for (const name of names.slice(0, -1)) {
    if (rules === undefined || rules.ignores(name, true)) return true;
    at = join(at, name);
    const entered = known.get(at) ?? rules.enter(name, await readIgnoreFile(join(at, '.gitignore')));
    known.set(at, entered);
    rules = entered;
  }
  return rules === undefined || rules.ignores(basename(path), false);
}

function isBelow(path: string, folder: string): boolean {
  return path.startsWith(folder.endsWith(sep) ? folder : folder + sep);
}
