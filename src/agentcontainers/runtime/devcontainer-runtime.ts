import { raceAbort } from '../../async/abort.ts';
import { AgentContainersError } from '../../errors.ts';
import type { DevcontainerRuntime } from '../api.ts';
import { runBash } from '../bash/run-bash.ts';
import type { CommandSpec, ContainerFiles, ContainerRuntime } from '../ports.ts';
import { asAnyUser } from './as-other-user.ts';
import { createEngineRuntimes } from './engine-runtimes.ts';
import type { Forwards } from './forwards.ts';
import { runningContainer } from './running-container.ts';
import type { Runtime } from './runtime.ts';
import { untilState } from './until-state.ts';

/** Ids of commands that run through the engine begin with this; those of a resident never do. */
const ENGINE_ID = 'engine-';

/**
 * What runs in the containers of devcontainers, by their ids. Each call goes to whoever serves the container now.
 *
 * @param ready rejects when the library does not take calls
 */
export function createDevcontainerRuntimes(
  rt: Runtime,
  ready: () => Promise<void>,
  forwards: Forwards,
): (id: string) => DevcontainerRuntime {
  const engines = createEngineRuntimes(rt);

  /** The resident, also one that is being started or adopted. */
  async function resident(id: string, signal?: AbortSignal): Promise<ContainerRuntime | undefined> {
    await ready();
    await untilInjected(rt, id, signal);
    return rt.supervision.runtimeIn(runningContainer(rt, id).containerId);
  }

  async function engine(id: string, signal?: AbortSignal): Promise<ContainerRuntime> {
    const runtime = engines.of(id, runningContainer(rt, id).containerId);
    return signal ? raceAbort(runtime, signal) : runtime;
  }
  async function serving(id: string, signal?: AbortSignal): Promise<ContainerRuntime> {
    return (await resident(id, signal)) ?? engine(id, signal);
  }

  /** Whoever runs the process with this id. */
  async function owner(id: string, processId: string, signal?: AbortSignal): Promise<ContainerRuntime> {
    if (!processId.startsWith(ENGINE_ID)) return (await resident(id, signal)) ?? notServed(rt, id);
    await ready();
    runningContainer(rt, id);
    const runtime = engines.known(id);
    if (runtime) return runtime;
    throw new AgentContainersError(
      'process-not-found',
      `Finding process ${processId.slice(0, 40)} failed: it is gone.`,
    );
  }

  /** No recreate comes between the call and `started`; from then on the command itself holds it off. */
  async function starting<T>(
    id: string,
    spec: CommandSpec,
    signal: AbortSignal | undefined,
    start: (runtime: ContainerRuntime, started: () => void) => Promise<T>,
  ): Promise<T> {
    await ready();
    runningContainer(rt, id);
    const release = rt.starting.begin(rt, id, spec);
    try {
      return await start(await serving(id, signal), release);
    } finally {
      release();
    }
  }
  function startOne<T>(
    id: string,
    spec: CommandSpec,
    signal: AbortSignal | undefined,
    start: (runtime: ContainerRuntime) => Promise<T>,
  ): Promise<T> {
    return starting(id, spec, signal, (runtime) => asAnyUser(runtime, () => engine(id, signal), spec, start));
  }

  return (id) => ({
    via: async (signal) => (await serving(id, signal)).via,
    exec: (spec, signal) => startOne(id, spec, signal, (runtime) => runtime.exec(spec, signal)),
    spawn: (spec, signal) => startOne(id, spec, signal, (runtime) => runtime.spawn(spec, signal)),
    bash: (request, signal) =>
      starting(id, { command: request.command }, signal, (runtime, started) => {
        const spawn: ContainerRuntime['spawn'] = (spec, abort) => runtime.spawn(spec, abort).finally(started);
        return runBash({ ...runtime, spawn }, rt.ports.clock, request, signal);
      }),
    async processes(signal) {
      const served = await serving(id, signal);
      const others = served.via === 'engine' ? [] : ((await engines.known(id)?.processes(signal)) ?? []);
      return [...(await served.processes(signal)), ...others];
    },
    process: async (processId, options, signal) =>
      (await owner(id, processId, signal)).process(processId, options, signal),
    async *output(processId, query) {
      yield* (await owner(id, processId, query?.signal)).output(processId, query);
    },
    attach: async (processId, options, signal) =>
      (await owner(id, processId, signal)).attach(processId, options, signal),
    writeStdin: async (processId, bytes, options, signal) =>
      (await owner(id, processId, signal)).writeStdin(processId, bytes, options, signal),
    resize: async (processId, size, signal) => (await owner(id, processId, signal)).resize(processId, size, signal),
    signal: async (processId, name, options, signal) =>
      (await owner(id, processId, signal)).signal(processId, name, options, signal),
    kill: async (processId, options, signal) => (await owner(id, processId, signal)).kill(processId, options, signal),
    forget: async (processId, signal) => (await owner(id, processId, signal)).forget(processId, signal),
    files: filesOf((signal) => serving(id, signal)),
    ports: async (signal) => (await serving(id, signal)).ports(signal),
    watchPorts: async (listener, signal) => (await serving(id, signal)).watchPorts(listener, signal),
    connect: async (host, port, signal) => (await serving(id, signal)).connect(host, port, signal),
    stats: async (signal) => (await serving(id, signal)).stats(signal),
    async forward(request, signal) {
      await ready();
      return forwards.forward(id, request, signal);
    },
    async forwards() {
      await ready();
      return forwards.list(id);
    },
    async endForward(forwardId) {
      await ready();
      await forwards.end(id, forwardId);
    },
  });
}

function filesOf(serving: (signal?: AbortSignal) => Promise<ContainerRuntime>): ContainerFiles {
  const files = async (signal?: AbortSignal): Promise<ContainerFiles> => (await serving(signal)).files;
  return {
    stat: async (path, signal) => (await files(signal)).stat(path, signal),
    list: async (path, signal) => (await files(signal)).list(path, signal),
    read: async (path, range, signal) => (await files(signal)).read(path, range, signal),
    write: async (path, content, options, signal) => (await files(signal)).write(path, content, options, signal),
    mkdir: async (path, options, signal) => (await files(signal)).mkdir(path, options, signal),
    move: async (from, to, options, signal) => (await files(signal)).move(from, to, options, signal),
    remove: async (path, options, signal) => (await files(signal)).remove(path, options, signal),
    async *search(path, query, signal) {
      yield* (await files(signal)).search(path, query, signal);
    },
  };
}

/** Waits while its sub-agent is being started, at most as long as that may take. */
async function untilInjected(rt: Runtime, id: string, signal?: AbortSignal): Promise<void> {
  const isStarting = (): boolean => runningContainer(rt, id).entry.agent.kind === 'injecting';
  try {
    await untilState(rt, 'Waiting for the sub-agent', signal, () => (isStarting() ? undefined : true));
  } catch (error) {
    // Its time is over, and not the caller's: it goes on without.
    if (signal?.aborted || rt.closing.aborted || !isStarting()) throw error;
  }
}

function notServed(rt: Runtime, id: string): never {
  const { agent } = rt.store.state.entries.get(id) ?? {};
  const reason = agent && 'reason' in agent ? agent.reason : 'no resident runs in the container';
  throw new AgentContainersError('runtime-unavailable', `Reaching the process failed: ${reason.replace(/\.$/, '')}.`);
}
