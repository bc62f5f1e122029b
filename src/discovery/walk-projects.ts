import { join } from 'node:path';
import { listDirectory, type DirectoryListing } from './directory-listing.ts';
import { readIgnoreFile, readInfoExclude } from './git-files.ts';
import { ignoreRules, type IgnoreRules } from './ignore-rules.ts';
import type { ScanPace } from './scan-pace.ts';

export interface WalkLimits {
  /** How far below the root a project may lie. */
  readonly depth: number;
  readonly directories: number;
  readonly entriesPerDirectory: number;
}

/** A directory that was looked into. */
export interface Visited {
  readonly path: string;
  readonly parent: Visited | undefined;
  /** The root, or the top of a repository. */
  readonly isPlace: boolean;
  /** It is the top of a repository or lies in one. */
  readonly isInProject: boolean;
  readonly mayHoldConfigs: boolean;
  /** What git ignores in it. */
  readonly rules: IgnoreRules;
}

export interface Walk {
  /** The root first, then those nearest to it, sorted by name within one. */
  readonly visited: readonly Visited[];
  /** Set when there may be more. */
  readonly truncated?: string | undefined;
}

interface Waiting {
  readonly path: string;
  readonly name: string;
  readonly depth: number;
  readonly parent: Visited | undefined;
}

/** The directory went, is none, or is not for us: it is passed over. Anything else may be different the next time. */
const PASSED_OVER: ReadonlySet<string> = new Set(['ENOENT', 'ENOTDIR', 'EACCES', 'EPERM', 'ELOOP', 'ENAMETOOLONG']);

/**
 * Looks into directories below a real path, breadth first, so that what is near is found when a bound is reached.
 * Symbolic links are not followed, what git ignores is not entered. Rejects when the root cannot be listed.
 *
 * @param onPlace called with the root and each project as soon as it was looked into
 */
export async function walkProjects(
  root: string,
  userExcludes: string | undefined,
  limits: WalkLimits,
  pace: ScanPace,
  onPlace: (place: Visited) => Promise<void>,
): Promise<Walk> {
  const visited: Visited[] = [];
  const waiting: Waiting[] = [{ path: root, name: '', depth: 0, parent: undefined }];
  let truncated: string | undefined;

  for (let next = 0; next < waiting.length; next++) {
    const one = waiting[next] as Waiting;
    if (!(await pace.goOn())) {
      return { visited, truncated: `Looking into all directories below ${root} takes too long.` };
    }
    let listing: DirectoryListing;
    try {
      listing = await listDirectory(one.path, limits.entriesPerDirectory);
    } catch (error) {
      if (one.depth === 0) throw error;
      const code = (error as NodeJS.ErrnoException).code ?? 'unknown reason';
      if (!PASSED_OVER.has(code)) truncated ??= `Listing ${one.path} failed: ${code}.`;
      continue;
    }
    if (listing.isTruncated) {
      truncated ??= `${one.path} has more than ${limits.entriesPerDirectory} entries.`;
    }
    const here = await visit(one, listing, userExcludes);
    visited.push(here);
    if (here.isPlace) await onPlace(here);
    if (one.depth === limits.depth) continue;
    for (const [index, name] of listing.directories.entries()) {
      // Many rules make much work of a few names.
      if (index % 8 === 7 && !(await pace.goOn())) break;
      if (here.rules.ignores(name, true)) continue;
      if (waiting.length >= limits.directories) {
        truncated ??= `There are more than ${limits.directories} directories below ${root}.`;
        break;
      }
      waiting.push({ path: join(one.path, name), name, depth: one.depth + 1, parent: here });
    }
  }
  return { visited, truncated };
}

async function visit(
  { path, name, depth, parent }: Waiting,
  { isProject, mayHoldConfigs, hasIgnoreFile }: DirectoryListing,
  userExcludes: string | undefined,
): Promise<Visited> {
  const gitignore = hasIgnoreFile ? await readIgnoreFile(join(path, '.gitignore')) : undefined;
  // A repository has rules of its own, and none of the one that it lies in.
  const rules = isProject
    ? ignoreRules([userExcludes, await readInfoExclude(path), gitignore])
    : (parent?.rules.enter(name, gitignore) ?? ignoreRules([gitignore]));
  const isInProject = isProject || parent?.isInProject === true;
  return { path, parent, isPlace: isProject || depth === 0, isInProject, mayHoldConfigs, rules };
}
