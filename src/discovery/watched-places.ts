import type { Visited } from './walk-projects.ts';

/** Of the directories in which a project might appear, but where none is or leads to, only so many are watched. */
const MAX_OPEN_PLACES = 200;

/**
 * Directories to watch so that a project or a configuration is seen to come and go: the root and the projects, what leads
 * to them, folders of configurations; and, as far as there is room, whatever else lies in no project.
 *
 * @param folders directories of configurations, by the path of their project
 * @returns those that are most likely to matter first; `isComplete`: all that matter for sure are among them
 */
export function watchedPlaces(
  visited: readonly Visited[],
  folders: ReadonlyMap<string, readonly string[]>,
  max: number,
): { readonly directories: readonly string[]; readonly isComplete: boolean } {
  const wanted = new Set<string>();
  for (const place of visited) {
    if (!place.isPlace) continue;
    wanted.add(place.path);
    for (const folder of folders.get(place.path) ?? []) wanted.add(folder);
    for (let at = place.parent; at && !wanted.has(at.path); at = at.parent) wanted.add(at.path);
  }
  const isComplete = wanted.size <= max;
  const room = Math.min(max, Math.max(wanted.size, MAX_OPEN_PLACES));
  for (const { path, isInProject } of visited) {
    if (wanted.size >= room) break;
    if (!isInProject) wanted.add(path);
  }
  return { directories: [...wanted].slice(0, max), isComplete };
}
