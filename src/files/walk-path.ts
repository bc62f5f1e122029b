import { lstat, readlink } from 'node:fs/promises';
import { dirname, join, sep } from 'node:path';

/** A symbolic link met on the way to a file. */
export interface SymlinkHop {
  /** The directory that holds the link; it leads through no other link. */
  readonly directory: string;
  /** When the link itself was made, in ms. */
  readonly modifiedAt: number;
}

export interface PathWalk {
  /** All symbolic links on the way, in order; of a path that breaks off those before the break. */
  readonly links: readonly SymlinkHop[];
  /** Where the last component really lies, or the deepest directory that exists; `undefined` when links go in a circle. */
  readonly directory: string | undefined;
}

const MAX_HOPS = 40;
const MAX_COMPONENTS = 1_000;

/** Resolves an absolute path one component at a time, as the kernel does. Never throws; bounded for cycles. */
export async function walkPath(path: string): Promise<PathWalk> {
  const links: SymlinkHop[] = [];
  const rest = path.split(sep).filter((name) => name !== '');
  let at: string = sep;
  for (let steps = 0; rest.length > 0 && steps < MAX_COMPONENTS; steps++) {
    const name = rest.shift() ?? '';
    if (name === '.') continue;
    if (name === '..') {
      at = dirname(at);
      continue;
    }
    const here = join(at, name);
    try {
      const status = await lstat(here);
      if (!status.isSymbolicLink()) {
        if (rest.length === 0) return { links, directory: at };
        at = here;
        continue;
      }
      if (links.length === MAX_HOPS) return { links, directory: undefined };
      const target = await readlink(here);
      links.push({ directory: at, modifiedAt: status.mtimeMs });
      if (target.startsWith(sep)) at = sep;
      rest.unshift(...target.split(sep).filter((part) => part !== ''));
    } catch {
      // It breaks off here: what is missing would appear in this directory.
      return { links, directory: at };
    }
  }
  return { links, directory: rest.length === 0 ? at : undefined };
}
