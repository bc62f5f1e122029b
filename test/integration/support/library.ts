/** The library as an embedder has it, on the engine of a test and with everything else as shipped. */
import { randomUUID } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import {
  createAgentContainers,
  createSubAgentRegistry,
  isAgentContainersError,
  silentLogger,
  type AgentContainers,
  type AgentContainersOptions,
  type Devcontainer,
  type ListResult,
  type SubAgentRecord,
} from '../../../src/index.ts';
import { subAgentsIn } from './container-processes.ts';
import type { TestEngine } from './engine-harness.ts';
import { PATIENCE, eventually } from './eventually.ts';

export interface Library extends AsyncDisposable {
  readonly api: AgentContainers;
  /** What the control plane holds now. */
  records(): Promise<readonly SubAgentRecord[]>;
  /** Brings a folder up and waits until it runs with its sub-agent. */
  up(workspaceFolder: string, configPath?: string): Promise<Running>;
  /** Waits for a state of one devcontainer; it need not be listed yet. */
  until(workspaceFolder: string, what: string, matches: (seen: Devcontainer) => boolean): Promise<Devcontainer>;
  /** Waits until the sub-agent is shown as running, and returns the pid of the only one in the container. */
  injected(workspaceFolder: string, what?: string): Promise<Running>;
  logText(id: string): Promise<string>;
}

export interface Running {
  readonly devcontainer: Devcontainer;
  readonly containerId: string;
  /** On the host. */
  readonly agentPid: number;
}

/** Starts the library over the folders that `engine` makes; containers of others are listed only. */
export async function startLibrary(engine: TestEngine, options: AgentContainersOptions = {}): Promise<Library> {
  const registry = createSubAgentRegistry({ newId: randomUUID });
  const root = dirname(await engine.makeFolder('root'));
  const api = createAgentContainers({
    dockerHost: engine.dockerHost,
    adopt: 'roots',
    roots: [root],
    subAgentClient: registry,
    logger: silentLogger,
    ...options,
  });

  function until(folder: string, what: string, matches: (seen: Devcontainer) => boolean): Promise<Devcontainer> {
    return new Promise((resolve, reject) => {
      let last: Devcontainer | undefined;
      const end = (settle: () => void): void => {
        clearTimeout(timer);
        off();
        settle();
      };
      const timer = setTimeout(() => {
        const shown = JSON.stringify(last, null, 1) ?? 'nothing';
        end(() => reject(new Error(`Waiting for "${what}" failed: not within ${PATIENCE / 1_000} s; seen: ${shown}`)));
      }, PATIENCE);
      const look = ({ devcontainers }: ListResult): void => {
        const shown = devcontainers.filter((one) => one.workspaceFolder === folder);
        last = shown[0] ?? last;
        const seen = shown.find(matches);
        if (seen) end(() => resolve(seen));
      };
      const off = api.subscribe(look);
      api.list().then(look, (error: unknown) => {
        // The engine may be away for now.
        if (!isAgentContainersError(error, 'list-failed')) end(() => reject(error));
      });
    });
  }

  async function running(devcontainer: Devcontainer): Promise<Running> {
    const containerId = devcontainer.container?.id ?? '';
    const agentPid = await eventually('exactly one sub-agent process', async () => {
      const pids = await subAgentsIn(engine, containerId);
      return pids.length === 1 ? pids[0] : undefined;
    });
    return { devcontainer, containerId, agentPid };
  }

  const library: Library = {
    api,
    records: () => registry.list(AbortSignal.timeout(PATIENCE)),
    until,
    async up(workspaceFolder, configPath) {
      const { operation, done } = await api.create({ workspaceFolder, configPath });
      const ended = await done;
      if (ended.status !== 'succeeded') throw new Error(`Bringing ${workspaceFolder} up failed: ${ended.error}`);
      const { id } = await api.get(operation.devcontainerId);
      const isInjected = (seen: Devcontainer): boolean => seen.id === id && hasAgent(seen);
      return running(await until(workspaceFolder, 'running with its sub-agent', isInjected));
    },
    injected: async (folder, what = 'sub-agent running') => running(await until(folder, what, hasAgent)),
    async logText(id) {
      let text = '';
      for await (const chunk of api.logs(id)) text += chunk.text;
      return text;
    },
    [Symbol.asyncDispose]: () => api.close(),
  };
  await api.start();
  return library;
}

export const hasAgent = (seen: Devcontainer): boolean => seen.status === 'running' && seen.agent?.status === 'running';

export const CONFIG = '.devcontainer/devcontainer.json';

/** Changes the configuration of a folder. */
export async function editConfig(folder: string, change: (text: string) => string): Promise<void> {
  const path = join(folder, CONFIG);
  await writeFile(path, change(await readFile(path, 'utf8')));
}

/** Writes `value` as the configuration of a folder that `makeFolder` made. */
export async function writeConfig(folder: string, value: object): Promise<void> {
  await writeFile(join(folder, '.devcontainer.json'), `${JSON.stringify(value, null, 2)}\n`);
}
