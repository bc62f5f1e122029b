import { readdir, realpath, stat } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';

import type { EntryKey } from '../agentcontainers/model/devcontainer.ts';
import type { PathWalk } from '../files/walk-path.ts';

const MAX_NAMED = 1_000;

/**
 * The configurations of a folder at the three places of the specification, in its order: `.devcontainer/devcontainer.json`,
 * `.devcontainer.json`, `.devcontainer/<name>/devcontainer.json`. Places that are the same file are listed once.
 */
export async function findConfigs(realFolder: string): Promise<string[]> {
  const folder = join(realFolder, '.devcontainer');
  const places = [join(folder, 'devcontainer.json'), join(realFolder, '.devcontainer.json')];
  try {
    const names = (await readdir(folder)).sort().slice(0, MAX_NAMED);
    places.push(...names.map((name) => join(folder, name, 'devcontainer.json')));
  } catch {
    // No such folder, or it cannot be listed: then it holds no named configurations for us.
  }
  const found = new Map<string, string>();
  for (const place of places) {
    const real = await realFile(place);
    if (real !== undefined && !found.has(real)) found.set(real, place);
  }
  return [...found.values()];
}

/** The real path; of a path that does not exist the real path of the part that does, and the rest normalised. */
export async function realPathOfExistingPart(path: string): Promise<string> {
  const absolute = resolve(path);
  let existing = absolute;
  for (;;) {
    try {
      return join(await realpath(existing), relative(existing, absolute));
    } catch {
      const parent = dirname(existing);
      if (parent === existing) return absolute;
      existing = parent;
    }
  }
}

/**
 * The one path by which a configuration of a workspace is known.
 *
 * Inside the workspace it is the name it has there: the CLI takes only files named `devcontainer.json` or
 * `.devcontainer.json` and looks for the Dockerfile beside that name, and a symbolic link that is made to lead elsewhere
 * must stay the same configuration with other content. Of several names for one file the first place of the
 * specification counts. Outside it is the real path.
 */
export async function canonicalConfigPath(
  workspaceFolder: string,
  realFolder: string,
  configPath: string,
): Promise<string> {
  const absolute = resolve(workspaceFolder, configPath);
  const real = await realFile(absolute);
  if (real !== undefined) {
    for (const place of await findConfigs(realFolder)) if ((await realFile(place)) === real) return place;
  }
  const inside = await insideOf(resolve(workspaceFolder), realFolder, absolute);
  if (inside !== undefined) return inside;
  const outside = await realPathOfExistingPart(absolute);
  // The last component stays when the real file has a name that the CLI refuses.
  return /^\.?devcontainer\.json$/.test(basename(outside))
    ? outside
    : join(await realPathOfExistingPart(dirname(absolute)), basename(absolute));
}

/** `absolute` as a path below `realFolder`, whichever way it leads there. */
async function insideOf(folder: string, realFolder: string, absolute: string): Promise<string | undefined> {
  for (const base of [folder, realFolder]) {
    const below = relative(base, absolute);
    if (below !== '' && below !== '..' && !below.startsWith(`..${sep}`)) return join(realFolder, below);
  }
  for (let at = dirname(absolute); ; at = dirname(at)) {
    const real = await realpath(at).catch(() => undefined);
    if (real === realFolder) return join(realFolder, relative(at, absolute));
    if (dirname(at) === at) return undefined;
  }
}

/**
 * Directories in which a change can change what a configuration is: each from the workspace folder down to the file, and
 * wherever a symbolic link on that way or its end lies. Directories that do not exist are named too: whoever watches
 * them sees them come.
 *
 * @param way where the path of the configuration leads
 */
export function configDirectories(key: EntryKey, { links, directory }: PathWalk): string[] {
  const directories = new Set<string>();
  const below = relative(key.workspaceFolder, dirname(key.configPath));
  const isInside = below === '' || (below !== '..' && !below.startsWith(`..${sep}`));
  if (isInside) {
    let at = key.workspaceFolder;
    directories.add(at);
    for (const name of below.split(sep).filter((part) => part !== '')) directories.add((at = join(at, name)));
  } else {
    directories.add(dirname(key.configPath));
  }
  for (const link of links) directories.add(link.directory);
  if (directory !== undefined) directories.add(directory);
  return [...directories];
}

async function realFile(path: string): Promise<string | undefined> {
  try {
    const real = await realpath(path);
    return (await stat(real)).isFile() ? real : undefined;
  } catch {
    return undefined;
  }
}
