import { realpath } from 'node:fs/promises';
import { homedir } from 'node:os';
import { resolve } from 'node:path';
// oxlint-disable-next-line no-restricted-imports -- where git keeps what it ignores counts for embedders too
import { env } from 'node:process';
import type { EntryKey } from '../agentcontainers/model/devcontainer.ts';
import type { FoundProjects, ProjectFinder } from '../agentcontainers/ports.ts';
import type { Clock } from '../clock/clock.ts';
import { readUserExcludes } from './git-files.ts';
import { configFolders, projectConfigs } from './project-configs.ts';
import { createScanPace } from './scan-pace.ts';
import { walkProjects, type Visited, type WalkLimits } from './walk-projects.ts';
import { watchedPlaces } from './watched-places.ts';

export interface ProjectFinderLimits extends WalkLimits {
  /** Of one root. */
  readonly configs: number;
  readonly watchDirectories: number;
  /** How long one search may take. */
  readonly ms: number;
}

export const DEFAULT_LIMITS: ProjectFinderLimits = {
  depth: 5,
  directories: 20_000,
  entriesPerDirectory: 10_000,
  configs: 1_000,
  watchDirectories: 500,
  ms: 10_000,
};

export interface ProjectFinderOptions {
  readonly clock: Clock;
  /** The configurations of a real folder at the three places of the specification, as paths below it. */
  readonly findConfigs: (realFolder: string) => Promise<readonly string[]>;
  readonly limits?: Partial<ProjectFinderLimits> | undefined;
  /** Of the user, whose excludes file counts. Default: that of this process. */
  readonly home?: string | undefined;
  /** `$XDG_CONFIG_HOME`. Default: that of this process; of another home, `.config` in it. */
  readonly configHome?: string | undefined;
}

/** Projects on this machine's file system. One directory is read after the other, so a mount that hangs holds up one call. */
export function createProjectFinder(options: ProjectFinderOptions): ProjectFinder {
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const home = options.home ?? homedir();
  const configHome = options.configHome ?? (options.home === undefined ? env['XDG_CONFIG_HOME'] : undefined);

  async function search(root: string, signal: AbortSignal): Promise<FoundProjects> {
    const pace = createScanPace(options.clock, limits.ms, signal);
    const keys: EntryKey[] = [];
    const folders = new Map<string, readonly string[]>();
    const readPlace = async ({ path, mayHoldConfigs, rules }: Visited): Promise<void> => {
      if (!mayHoldConfigs || keys.length > limits.configs) return;
      folders.set(path, await configFolders(path));
      const configs = await projectConfigs(path, root, rules, options.findConfigs);
      keys.push(...configs.map((configPath) => ({ workspaceFolder: path, configPath })));
    };
    const excludes = await readUserExcludes(home, configHome);
    const walk = await walkProjects(root, excludes, limits, pace, readPlace);
    const { visited } = walk;
    let { truncated } = walk;
    if (keys.length > limits.configs)
      truncated ??= `There are more than ${limits.configs} configurations below ${root}.`;
    const watched = watchedPlaces(visited, folders, limits.watchDirectories);
    if (!watched.isComplete) {
      truncated ??= `Only ${limits.watchDirectories} directories below ${root} are watched; it is searched for the rest now and then.`;
    }
    return {
      keys: keys.slice(0, limits.configs),
      watchDirectories: watched.directories,
      ...(truncated === undefined ? {} : { truncated }),
    };
  }

  return {
    async find(path, signal) {
      signal.throwIfAborted();
      const root = resolve(path);
      try {
        const real = await realpath(root);
        const found = await search(real, signal);
        // A link may come to lead elsewhere.
        return real === root ? found : { ...found, watchDirectories: [root, ...found.watchDirectories] };
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        // Whoever watches it sees it come.
        if (code === 'ENOENT' || code === 'ENOTDIR') return { keys: [], watchDirectories: [root] };
        throw error;
      }
    },
  };
}
