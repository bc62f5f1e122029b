import { lstatSync, realpathSync } from 'node:fs';
import { dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';

import { MAX_PATH } from '../inputs/input-bounds.ts';

/** How many paths of one configuration are looked up on disk, which holds up everything else. */
const MAX_LOOKUPS = 256;
/** And in how many directories in all. */
const MAX_STEPS = 4_000;

export interface Workspace {
  /** Real path. */
  readonly folder: string;
  /** A path names the workspace folder itself, without `..`: no other path stays what it is, see below. */
  isFolder(path: string): boolean;
  /** A path lies in the workspace folder, as text and after symbolic links as they are now. */
  contains(path: string): boolean;
}

/** For what belongs to no workspace: nothing of the host is its own. */
export const NO_WORKSPACE: Workspace = { folder: '', isFolder: () => false, contains: () => false };

/**
 * What of the host belongs to the workspace.
 *
 * Whoever writes in the workspace makes symbolic links in it. The engine follows them in the source of a bind mount each
 * time that the container starts, long after anybody looked, so only the folder itself, whose name lies above it, is
 * safe to mount. What is read once, such as a build context, may lie in it.
 */
export function workspaceAt(folder: string): Workspace {
  const known = new Map<string, boolean>();
  const left = { steps: MAX_STEPS };
  return {
    folder,
    // `link/..` is not where it seems to be for everyone who reads it.
    isFolder: (path) => isAbsolute(path) && !path.split(sep).includes('..') && resolve(path) === folder,
    contains(path) {
      if (path.length > MAX_PATH || !isAbsolute(path) || path.includes('\0')) return false;
      if (!isInside(folder, resolve(path))) return false;
      const answer = known.get(path) ?? (known.size < MAX_LOOKUPS && leadsInside(folder, resolve(path), left));
      known.set(path, answer);
      return answer;
    },
  };
}

function isInside(folder: string, path: string): boolean {
  const below = relative(folder, path);
  return below !== '..' && !below.startsWith(`..${sep}`) && !isAbsolute(below);
}

/** What cannot be looked at may be anything. */
function mayBeThere(path: string): boolean {
  try {
    return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch {
    return true;
  }
}

/** Of a path that does not exist the part that does decides; what cannot be told leads elsewhere. */
function leadsInside(folder: string, path: string, left: { steps: number }): boolean {
  for (let existing = path; left.steps-- > 0; existing = dirname(existing)) {
    try {
      return isInside(folder, join(realpathSync.native(existing), relative(existing, path)));
    } catch {
      // A link that leads nowhere now may lead somewhere later.
      if (mayBeThere(existing) || existing === dirname(existing)) return false;
    }
  }
  return false;
}
