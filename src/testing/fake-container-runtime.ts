import type {
  CommandKind,
  CommandProcess,
  CommandSpec,
  ContainerFiles,
  ContainerRuntime,
  OutputChunk,
  OutputQuery,
  Via,
} from '../agentcontainers/ports.ts';
import type { Clock } from '../clock/clock.ts';
import { AgentContainersError } from '../errors.ts';
import { createFakeCommand, type FakeCommand } from './fake-command.ts';
import { createFakeConnection, type FakePeer } from './fake-connection.ts';
import type { LeakSource } from './leak-guard.ts';
import { createScriptedCalls, type CallControls } from './scripted-calls.ts';

export type { FakeCommand } from './fake-command.ts';

/** A connection into the container, as the program sees it that it was opened to. */
export interface FakeContainerPeer extends FakePeer {
  readonly host: string;
  readonly port: number;
}

type Call =
  | 'exec'
  | 'spawn'
  | 'processes'
  | 'process'
  | 'output'
  | 'writeStdin'
  | 'signal'
  | 'kill'
  | 'forget'
  | 'connect';

/** What runs in a container, as a test plays it: commands do nothing by themselves, and everybody can be connected to. */
export interface FakeContainerRuntime extends ContainerRuntime, CallControls<Call>, LeakSource {
  /** Every command that was started, oldest first. */
  readonly commands: readonly FakeCommand[];
  /** Plays each command that starts from now on. */
  onCommand(script: (command: FakeCommand) => void | Promise<void>): void;
  /** Every connection that was opened, oldest first. */
  readonly connections: readonly FakeContainerPeer[];
  /** The container is gone: what runs in it is lost, connections break off. */
  end(): void;
}

const CALLS = [
  'exec',
  'spawn',
  'processes',
  'process',
  'output',
  'writeStdin',
  'signal',
  'kill',
  'forget',
  'connect',
] as const;

/** @param world.clock what a time-out of a command counts by */
export function createFakeContainerRuntime(world: { readonly clock: Clock; readonly via?: Via }): FakeContainerRuntime {
  const via = world.via ?? 'resident';
  const calls = createScriptedCalls<Call>('containerRuntime', CALLS);
  const commands: FakeCommand[] = [];
  const forgotten = new Set<string>();
  const connections: FakeContainerPeer[] = [];
  let script: (command: FakeCommand) => void | Promise<void> = () => {};

  function start(spec: CommandSpec, kind: CommandKind): FakeCommand {
    const same = commands.find((one) => spec.key !== undefined && one.spec.key === spec.key && !forgotten.has(one.id));
    if (same) return same;
    const command = createFakeCommand(spec, { id: `p${commands.length + 1}`, kind, via, clock: world.clock });
    commands.push(command);
    void Promise.resolve(script(command)).catch((error: unknown) =>
      calls.report(`A command's script threw: ${String(error)}`),
    );
    return command;
  }
  function find(id: string): FakeCommand {
    const command = commands.find((one) => one.id === id && !forgotten.has(id));
    if (command) return command;
    throw new AgentContainersError('process-not-found', `Finding process ${id} failed: there is none with this id.`);
  }
  const unscripted = (name: string) => (): never => {
    throw calls.unscripted(`containerRuntime.${name}`, 'This fake does not play it; give a runtime of your own.');
  };
  const refused = (name: string) => (): Promise<never> => Promise.resolve().then(unscripted(name));

  return {
    via,
    calls: calls.calls,
    failNext: calls.failNext,
    hang: calls.hang,
    commands,
    connections,
    onCommand(next) {
      script = next;
    },
    end() {
      for (const command of commands) command.exit({ code: null, reason: 'lost' });
      for (const peer of connections) peer.reset();
    },

    exec: (spec, signal) =>
      calls.perform('exec', signal, () => {
        const command = start(spec, 'exec');
        const onAbort = (): void => void command.kill();
        signal?.addEventListener('abort', onAbort, { once: true });
        void command.exited.then(() => signal?.removeEventListener('abort', onAbort));
        return {
          get process() {
            return command.process;
          },
          via,
          output: command.output({ follow: true }),
          write: async (bytes) => command.input(bytes),
          closeStdin: () => {},
          resize: refused('exec().resize'),
          kill: async (graceMs) => command.kill(graceMs),
          detach: () => signal?.removeEventListener('abort', onAbort),
          exited: command.exited,
        };
      }),
    spawn: (spec, signal) =>
      calls.perform('spawn', signal, () => start(spec, spec.tty ? 'terminal' : 'background').process),
    processes: (signal) =>
      calls.perform('processes', signal, () =>
        commands.filter(({ id }) => !forgotten.has(id)).map(({ process }): CommandProcess => process),
      ),
    process: (id, _options, signal) => calls.perform('process', signal, () => find(id).process),
    async *output(id: string, query: OutputQuery = {}): AsyncGenerator<OutputChunk> {
      const command = await calls.perform('output', query.signal, () => find(id));
      yield* command.output(query);
    },
    attach: refused('attach'),
    writeStdin: (id, bytes, _options, signal) => calls.perform('writeStdin', signal, () => find(id).input(bytes)),
    resize: refused('resize'),
    signal: (id, name, _options, signal) => calls.perform('signal', signal, () => find(id).signalled(name)),
    kill: (id, options, signal) =>
      calls.perform('kill', signal, () => {
        const command = find(id);
        command.kill(options?.graceMs);
        return command.process;
      }),
    forget: (id, signal) =>
      calls.perform('forget', signal, () => {
        const { process } = find(id);
        if (process.running)
          throw new AgentContainersError('command-refused', `Forgetting process ${id} failed: it runs.`);
        forgotten.add(id);
      }),
    files: new Proxy({} as ContainerFiles, { get: (_files, name) => refused(`files.${String(name)}`) }),
    ports: refused('ports'),
    watchPorts: refused('watchPorts'),
    connect: (host, port, signal) =>
      calls.perform('connect', signal, () => {
        const { connection, peer } = createFakeConnection();
        // A peer is made of getters.
        connections.push(Object.assign(Object.create(peer) as FakePeer, { host, port }));
        return connection;
      }),
    stats: refused('stats'),

    leaks: () => [
      ...calls.leaks(),
      ...connections
        .filter(({ state }) => state === 'open')
        .map(({ host, port }) => `a connection to ${host}:${port} of a container is open`),
    ],
  };
}
