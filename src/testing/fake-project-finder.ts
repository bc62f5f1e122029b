import { posix } from 'node:path';
import type { ProjectFinder } from '../agentcontainers/ports.ts';
import type { ChangeOptions } from './fake-config-files.ts';
import type { LeakSource } from './leak-guard.ts';
import { createScriptedCalls } from './scripted-calls.ts';
import type { CallControls } from './scripted-calls.ts';

const CONFIG = '.devcontainer/devcontainer.json';

export interface FakeProjectFinder extends ProjectFinder, CallControls<'find'>, LeakSource {
  /** Makes the folder a project with this configuration (default `.devcontainer/devcontainer.json`), besides others it has. */
  add(folder: string, configPath?: string, options?: ChangeOptions): void;
  /** Without a path: the whole project. */
  remove(folder: string, configPath?: string, options?: ChangeOptions): void;
  /** Searches end with this sentence from now on, as if a bound had been reached; they find what there is all the same. */
  truncate(sentence: string | undefined): void;
}

/**
 * Finds the projects that a test added. Their files are not looked for: write them to the fake config files.
 *
 * @param world.onChange is told of the directory of each change, unless made quietly; a test world tells its watcher
 */
export function createFakeProjectFinder(world: { onChange?: (directory: string) => void } = {}): FakeProjectFinder {
  const calls = createScriptedCalls<'find'>('projectFinder', ['find']);
  const projects = new Map<string, Set<string>>();
  const directories = new Set(['/']);
  let truncated: string | undefined;

  function tell(directory: string, options: ChangeOptions = {}): void {
    if (!options.quietly) world.onChange?.(directory);
  }

  /** Makes the directory, and says in which one that is seen. */
  function makeDirectory(path: string): string {
    let at = path;
    while (!directories.has(at)) {
      directories.add(at);
      at = posix.dirname(at);
      if (directories.has(at)) return at;
    }
    return posix.dirname(path);
  }

  return {
    calls: calls.calls,
    failNext: calls.failNext,
    hang: calls.hang,
    leaks: calls.leaks,

    add(folder, configPath = CONFIG, options) {
      const path = posix.resolve('/', folder);
      const known = projects.get(path);
      projects.set(path, new Set(known).add(posix.resolve(path, configPath)));
      const seen = makeDirectory(path);
      tell(known ? path : seen, options);
    },
    remove(folder, configPath, options) {
      const path = posix.resolve('/', folder);
      const configs = new Set(projects.get(path));
      if (configPath !== undefined) configs.delete(posix.resolve(path, configPath));
      if (configPath === undefined || configs.size === 0) projects.delete(path);
      else projects.set(path, configs);
      tell(configPath === undefined ? posix.dirname(path) : path, options);
    },
    truncate(sentence) {
      truncated = sentence;
    },

    find: (root, signal) =>
      calls.perform('find', signal, () => {
        const top = posix.resolve('/', root);
        // Whoever looks into it takes it to be there.
        makeDirectory(top);
        const below = [...projects.keys()].filter((path) => isInside(path, top)).sort();
        const directories = new Set([top]);
        for (const project of below) for (let at = project; at !== top; at = posix.dirname(at)) directories.add(at);
        return {
          keys: below.flatMap((workspaceFolder) =>
            [...(projects.get(workspaceFolder) ?? [])].sort().map((configPath) => ({ workspaceFolder, configPath })),
          ),
          watchDirectories: [...directories],
          ...(truncated === undefined ? {} : { truncated }),
        };
      }),
  };
}

function isInside(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder === '/' ? folder : `${folder}/`);
}
