import { lstat, readlink } from 'node:fs/promises';
import { dirname, join, sep } from 'node:path';

const MAX_HOPS = 40;
const MAX_COMPONENTS = 1_000;

/**
 * The directories whose entries decide where an absolute path leads: the one that holds its last component, those that
 * hold a symbolic link on the way, and where the path breaks off the deepest one that exists. Real paths, never throws.
 */
export async function pathGuards(path: string): Promise<string[]> {
  const guards = new Set<string>();
  const rest = path.split(sep).filter((name) => name !== '');
  let at: string = sep;
  let hops = 0;
  for (let steps = 0; rest.length > 0 && steps < MAX_COMPONENTS; steps++) {
    const name = rest.shift() ?? '';
    if (name === '.') continue;
    if (name === '..') {
      at = dirname(at);
      continue;
    }
    const here = join(at, name);
    try {
      const isLink = (await lstat(here)).isSymbolicLink();
      if (isLink || rest.length === 0) guards.add(at);
      if (!isLink) {
        at = here;
        continue;
      }
      if (++hops > MAX_HOPS) break;
      const target = await readlink(here);
      if (target.startsWith(sep)) at = sep;
      rest.unshift(...target.split(sep).filter((part) => part !== ''));
    } catch {
      guards.add(at);
      break;
    }
  }
  return [...guards];
}
