import { pathToFileURL } from 'node:url';
import { dirname, join } from 'node:path';
import type * as Clock from '../src/clock/system-clock.ts';
import type * as Engine from '../src/engine/docker-engine.ts';
import type * as Library from '../src/index.ts';
import type * as Launcher from '../src/subagent/launcher.ts';
import { LIBRARY } from './paths.ts';

/** The built package; its types are those of the source. */
export async function loadLibrary(): Promise<typeof Library> {
  return (await import(pathToFileURL(LIBRARY).href)) as typeof Library;
}

/** Parts of the built package that are not public: they are put together as the daemon does it. */
export async function loadParts(): Promise<Parts> {
  const load = async <T>(path: string): Promise<T> =>
    (await import(pathToFileURL(join(dirname(LIBRARY), path)).href)) as T;
  const [{ systemClock }, { createDockerEngine }, { createSubAgentLauncher }] = await Promise.all([
    load<Pick<Parts, 'systemClock'>>('clock/system-clock.js'),
    load<Pick<Parts, 'createDockerEngine'>>('engine/docker-engine.js'),
    load<Pick<Parts, 'createSubAgentLauncher'>>('subagent/launcher.js'),
  ]);
  return { systemClock, createDockerEngine, createSubAgentLauncher };
}

interface Parts {
  readonly systemClock: typeof Clock.systemClock;
  readonly createDockerEngine: typeof Engine.createDockerEngine;
  readonly createSubAgentLauncher: typeof Launcher.createSubAgentLauncher;
}
