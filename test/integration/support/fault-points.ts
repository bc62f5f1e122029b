/**
 * Wraps ports so that each call which changes something outside of this process is a point at which a test may end it:
 * the change has been made, and nobody has heard of it.
 */
import type {
  BuildRequest,
  ContainerEngine,
  DevcontainerCli,
  StateStorage,
  SubAgentClient,
} from '../../../src/index.ts';

/**
 * @param args what the call was given
 * @returns what the call waits for before it answers; a process of the CLI that has begun does not wait
 */
export type Reach = (point: string, args: readonly unknown[]) => void | Promise<void>;

const ENGINE_CHANGES = [
  'startContainer',
  'stopContainer',
  'removeContainer',
  'renameContainer',
  'commitContainer',
  'createContainer',
  'removeImage',
  'removeVolume',
  'removeNetworks',
  'putArchive',
  'exec',
] as const satisfies readonly (keyof ContainerEngine)[];

export function faultyEngine(engine: ContainerEngine, reach: Reach): ContainerEngine {
  return wrapped(engine, 'engine', ENGINE_CHANGES, reach);
}

export function faultyStorage(storage: StateStorage, reach: Reach): StateStorage {
  return wrapped(storage, 'state', ['save', 'saveContents'], reach);
}

export function faultyControlPlane(client: SubAgentClient, reach: Reach): SubAgentClient {
  return wrapped(client, 'control plane', ['create', 'delete'], reach);
}

/** A run of the CLI is a point when it has begun, and one when it has ended. */
export function faultyCli(cli: DevcontainerCli, reach: Reach): DevcontainerCli {
  return {
    ...cli,
    async build(request) {
      const outcome = await cli.build({ ...request, onSpawn: spawned('cli build begun', request, reach) });
      await reach('cli build ended', [request]);
      return outcome;
    },
    up(request) {
      const run = cli.up({ ...request, onSpawn: spawned('cli up begun', request, reach) });
      const done = run.done.then(async (outcome) => {
        await reach('cli up ended', [request]);
        return outcome;
      });
      return { ready: run.ready, done };
    },
  };
}

function spawned(point: string, request: BuildRequest, reach: Reach): NonNullable<BuildRequest['onSpawn']> {
  return (process) => {
    // Before it is noted: the least that a later daemon can know.
    void reach(point, [request]);
    request.onSpawn?.(process);
  };
}

function wrapped<T extends object>(target: T, what: string, changes: readonly (keyof T & string)[], reach: Reach): T {
  return new Proxy(target, {
    get(of, name) {
      const value: unknown = Reflect.get(of, name);
      if (typeof value !== 'function') return value;
      const call = (value as (...args: unknown[]) => unknown).bind(of);
      if (!(changes as readonly unknown[]).includes(name)) return call;
      return async (...args: unknown[]): Promise<unknown> => {
        const result = await call(...args);
        await reach(`${what} ${String(name)}`, args);
        return result;
      };
    },
  });
}
