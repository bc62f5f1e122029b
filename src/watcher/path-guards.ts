import { walkPath } from '../files/walk-path.ts';

/**
 * The directories whose entries decide where an absolute path leads: those that hold a symbolic link on the way, and the
 * one that holds its last component, or where the path breaks off the deepest one that exists. Real paths, never throws.
 */
export async function pathGuards(path: string): Promise<string[]> {
  const { links, directory } = await walkPath(path);
  const guards = new Set(links.map((link) => link.directory));
  if (directory !== undefined) guards.add(directory);
  return [...guards];
}
