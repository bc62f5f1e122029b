import { lstat, realpath } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';

import { walkPath, type PathWalk } from '../../files/walk-path.ts';

/** How a path leads to what it names. */
export interface Way extends PathWalk {
  /** There is something, and no link is on the way to it. */
  readonly isReal: boolean;
  /** There is nothing, in a directory that is there. */
  readonly isMissing: boolean;
}

/** Ways that were looked at together. */
export interface KnownWays {
  /** Never rejects. */
  to(path: string): Promise<Way>;
}

/**
 * Looks at each directory once, however many files of it are asked for. What is remembered gets old: to be made anew for
 * each look at a configuration.
 */
export function createKnownWays(): KnownWays {
  const ways = new Map<string, Promise<Way>>();
  /** Directories with no link on the way to them. */
  const real = new Set<string>();

  function remember(directory: string): void {
    for (let at = directory; !real.has(at); at = dirname(at)) real.add(at);
  }

  async function find(path: string): Promise<Way> {
    const directory = dirname(path);
    if (real.has(directory)) {
      try {
        if (!(await lstat(path)).isSymbolicLink()) return { links: [], directory, isReal: true, isMissing: false };
      } catch (error) {
        if (isMissing(error)) return { links: [], directory, isReal: false, isMissing: true };
      }
    } else if ((await realpath(path).catch(() => undefined)) === path) {
      remember(directory);
      return { links: [], directory, isReal: true, isMissing: false };
    }
    const walk = await walkPath(path);
    if (walk.links.length === 0 && walk.directory !== undefined) remember(walk.directory);
    return { ...walk, isReal: false, isMissing: false };
  }

  return {
    to(path) {
      const absolute = resolve(path);
      const way = ways.get(absolute) ?? find(absolute);
      ways.set(absolute, way);
      return way;
    },
  };
}

function isMissing(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ENOENT';
}
