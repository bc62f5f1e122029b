import { lstatSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';

/**
 * The nearest folder above this one that may be the root of the git working tree in which it lies, unless it is a root
 * itself; `undefined` when there is none. By default that root is what is mounted as the workspace.
 *
 * Says so in more cases than it is one: whether git would take it does not matter here.
 * @param folder a real path
 */
export function gitRootAbove(folder: string): string | undefined {
  if (isRoot(folder)) return undefined;
  for (let at = dirname(folder), below = folder; at !== below; below = at, at = dirname(at)) {
    if (exists(join(at, '.git'))) return at;
  }
  return undefined;
}

/** Git looks no further up, be it whole or broken. An incomplete directory is passed by. */
function isRoot(folder: string): boolean {
  const git = join(folder, '.git');
  if (is(git, 'isFile')) return true;
  const hasObjects = is(join(git, 'objects'), 'isDirectory') && is(join(git, 'refs'), 'isDirectory');
  return exists(join(git, 'HEAD')) && (is(join(git, 'commondir'), 'isFile') || hasObjects);
}

function exists(path: string): boolean {
  try {
    return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch {
    // What cannot be looked at, e.g. below a file, is as good as absent for git too.
    return false;
  }
}

function is(path: string, kind: 'isFile' | 'isDirectory'): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false })?.[kind]() === true;
  } catch {
    return false;
  }
}
