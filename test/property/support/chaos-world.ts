import { AgentContainersError, isAgentContainersError } from '../../../src/errors.ts';
import { silentLogger } from '../../../src/logger.ts';
import { createDeferred } from '../../../src/async/deferred.ts';
import type { Ports } from '../../../src/agentcontainers/options.ts';
import type {
  Container,
  ContainerDetails,
  EngineEvent,
  SubAgentExit,
  SubAgentProcess,
  SubAgentRecord,
  UpOutcome,
  UpRequest,
} from '../../../src/index.ts';
import { createMemoryLogSink } from '../../../src/agentcontainers/runtime/memory-log-sink.ts';
import { createMemoryStorage } from '../../../src/agentcontainers/runtime/memory-storage.ts';
import { createManualClock, createRandom, createScheduler } from './scheduler.ts';

export const FOLDERS = ['/w/a', '/w/b', '/w/x/a'] as const;

interface TrueContainer {
  readonly id: string;
  readonly folder: string;
  readonly createdAt: number;
  startedAt: number;
  running: boolean;
}

interface LiveProcess {
  readonly containerId: string;
  readonly recordId: string;
  end(reason: SubAgentExit['reason']): void;
}

/**
 * A world in which every outside call waits to be released, may fail, and shows things as they were at some moment
 * between its begin and its end. It keeps the truth, and notes what must never happen.
 */
export function createChaosWorld(seed: number) {
  const random = createRandom(seed);
  const scheduler = createScheduler();
  const clock = createManualClock();
  const violations: string[] = [];
  const containers = new Map<string, TrueContainer>();
  const processes = new Set<LiveProcess>();
  const records = new Map<string, SubAgentRecord>();
  const streams = new Set<(event: EngineEvent) => void>();
  const exclusive = new Map<string, string>();
  let counter = 0;
  let watches = 0;
  let moment = 0;
  // In moments: when a container last ended, when a folder last lost its container.
  const endedAt = new Map<string, number>();
  const removedAt = new Map<string, number>();
  const wanted = new Set<string>();
  let listings = 0;
  const registering = new Map<string, number>();
  const commanded = new Map<string, number>();
  const begun = new Map<string, number>();
  let failing = true;

  const mayFail = (p: number): boolean => failing && random.chance(p);
  const newId = (): string => `00000000-0000-4000-8000-${String(++counter).padStart(12, '0')}`;
  const configOf = (folder: string): string => `${folder}/.devcontainer/devcontainer.json`;

  function emit(action: string, containerId: string): void {
    // Events are hints: some are lost.
    if (mayFail(0.3)) return;
    for (const push of streams) push({ action, containerId, at: clock.now(), labels: {} });
  }

  /** Notes two at once: never two of these in one folder, and never one while an injection is at work there. */
  function exclusively(folder: string, what: string): () => void {
    const other = exclusive.get(folder);
    if (other !== undefined) violations.push(`${what} began in ${folder} while ${other} was under way`);
    if ((registering.get(folder) ?? 0) > 0)
      violations.push(`${what} began in ${folder} while its sub-agent was registered`);
    exclusive.set(folder, what);
    commanded.delete(folder);
    begun.set(folder, (begun.get(folder) ?? 0) + 1);
    return () => exclusive.delete(folder);
  }

  function injects(containerId: string, what: string): void {
    const folder = containers.get(containerId)?.folder ?? '';
    const other = exclusive.get(folder);
    if (other !== undefined && other !== 'tail') violations.push(`${what} in ${folder} while ${other} was under way`);
  }

  /** A call that is answered only by being given up. */
  function hang(folder: string, signal: AbortSignal): Promise<never> {
    return new Promise((_resolve, reject) => {
      signal.addEventListener('abort', () => {
        const reason = signal.reason as Error;
        if (isAgentContainersError(reason, 'timeout') && commanded.has(folder)) {
          violations.push(`a command for ${folder} waited until an injection timed out`);
        }
        reject(reason);
      });
    });
  }

  function exit(container: TrueContainer): void {
    container.running = false;
    endedAt.set(container.id, ++moment);
    for (const process of processes) if (process.containerId === container.id) process.end('container-gone');
    emit('die', container.id);
  }

  const outside = {
    create(folder: string): void {
      if ([...containers.values()].some((container) => container.folder === folder)) return;
      const at = clock.now() + ++counter;
      const container = { id: `c${counter}`, folder, createdAt: at, startedAt: at, running: true };
      containers.set(container.id, container);
      emit('start', container.id);
    },
    start(container: TrueContainer): void {
      if (container.running) return;
      container.running = true;
      container.startedAt = clock.now() + ++counter;
      emit('start', container.id);
    },
    stop(container: TrueContainer): void {
      if (container.running) exit(container);
    },
    remove(container: TrueContainer): void {
      if (container.running) exit(container);
      containers.delete(container.id);
      removedAt.set(container.folder, ++moment);
      emit('destroy', container.id);
    },
  };

  function seen(container: TrueContainer): Container {
    const { id, folder, createdAt, running } = container;
    return {
      id,
      name: id,
      image: 'image',
      imageId: 'image',
      labels: { 'devcontainer.local_folder': folder, 'devcontainer.config_file': configOf(folder) },
      createdAt,
      state: running ? 'running' : 'exited',
      running,
      status: running ? 'running' : 'exited successfully',
      ports: [],
      mounts: [{ type: 'bind', source: folder, destination: '/workspace', writable: true }],
      portWarnings: [],
    };
  }

  async function runUp(request: UpRequest, ready: (value: boolean) => void): Promise<UpOutcome> {
    const folder = request.key.workspaceFolder;
    const release = exclusively(folder, 'up');
    const checkpoint = async (label: string): Promise<void> => {
      await scheduler.step(`up ${folder}: ${label}`);
      if (!request.signal.aborted) return;
      // The process group takes its time to die.
      await scheduler.step(`up ${folder}: killed`);
      throw new AgentContainersError('cancelled', 'Cancelled.');
    };
    const failed = (containerId?: string): UpOutcome => ({
      outcome: 'error',
      containerId,
      message: 'it broke',
      phase: 'hook',
      outputTail: '',
    });
    try {
      await checkpoint('begin');
      if (mayFail(0.1)) return failed();
      let mine = [...containers.values()].find((container) => container.folder === folder);
      if (request.removeExisting && mine) {
        outside.remove(mine);
        mine = undefined;
        await checkpoint('removed');
        if (mayFail(0.1)) return failed();
      }
      outside.create(folder);
      mine = [...containers.values()].find((container) => container.folder === folder);
      if (mine) outside.start(mine);
      await checkpoint('created');
      if (mayFail(0.1)) return failed(mine?.id);
      if (random.chance(0.6)) {
        ready(true);
        exclusive.set(folder, 'tail');
        for (let hook = 0; hook < 6; hook++) await checkpoint('tail');
        if (mayFail(0.3)) return failed(mine?.id);
      }
      return { outcome: 'success', containerId: mine?.id ?? '' };
    } finally {
      ready(false);
      release();
    }
  }

  const ports: Ports = {
    clock,
    logger: silentLogger,
    newId,
    logSink: createMemoryLogSink(),
    storage: createMemoryStorage(),
    engine: {
      async info() {
        return { name: 'chaos', version: '0', apiVersion: '1.41', operatingSystem: 'linux', architecture: 'amd64' };
      },
      async listContainers({ signal }) {
        listings++;
        await scheduler.step('list: asked');
        if (mayFail(0.1)) throw new AgentContainersError('engine-unreachable', 'Listing failed.');
        const snapshot = [...containers.values()].map(seen);
        await scheduler.step('list: answered');
        signal.throwIfAborted();
        return snapshot;
      },
      async inspectContainer(id) {
        await scheduler.step('inspect');
        const container = containers.get(id);
        if (!container) throw new AgentContainersError('engine-object-not-found', 'No such container.');
        const { createdAt, startedAt, running } = container;
        return {
          ...seen(container),
          createdAt,
          startedAt,
          running,
          exitCode: 0,
          oomKilled: false,
          error: '',
          user: '',
          env: [],
        } as ContainerDetails;
      },
      async imagePlatform() {
        return { operatingSystem: 'linux', architecture: 'amd64' };
      },
      async *events({ signal }) {
        const queue: EngineEvent[] = [];
        let wake = createDeferred<void>();
        const push = (event: EngineEvent): void => {
          queue.push(event);
          wake.resolve();
        };
        streams.add(push);
        const onAbort = (): void => wake.resolve();
        signal.addEventListener('abort', onAbort);
        try {
          while (!signal.aborted) {
            await wake.promise;
            wake = createDeferred();
            yield* queue.splice(0);
            if (mayFail(0.1)) return;
          }
        } finally {
          streams.delete(push);
          signal.removeEventListener('abort', onAbort);
        }
      },
      async startContainer() {
        throw new Error('Unscripted call: startContainer');
      },
      async stopContainer(id) {
        const container = containers.get(id);
        const release = exclusively(container?.folder ?? id, 'stop');
        try {
          await scheduler.step('stop');
          if (mayFail(0.1)) throw new AgentContainersError('engine-request-failed', 'Stopping failed.');
          if (container && containers.has(id)) outside.stop(container);
          await scheduler.step('stop: answered');
        } finally {
          release();
        }
      },
      async removeContainer(id) {
        const container = containers.get(id);
        const release = exclusively(container?.folder ?? id, 'remove');
        try {
          await scheduler.step('remove');
          if (mayFail(0.1)) throw new AgentContainersError('engine-request-failed', 'Removing failed.');
          if (container && containers.has(id)) outside.remove(container);
          await scheduler.step('remove: answered');
        } finally {
          release();
        }
      },
      async removeNetworks() {},
      async exec() {
        throw new Error('Unscripted call: exec');
      },
      async statPath() {
        throw new Error('Unscripted call: statPath');
      },
      async putArchive() {
        throw new Error('Unscripted call: putArchive');
      },
      async containerLogTail() {
        return '';
      },
      async close() {},
    },
    cli: {
      async version() {
        return '0';
      },
      up(request) {
        const ready = createDeferred<boolean>();
        const done = runUp(request, ready.resolve);
        done.catch(() => {});
        return { ready: ready.promise, done };
      },
      async readConfiguration({ key }) {
        await scheduler.step('read configuration');
        return { workspaceFolder: `/in${key.workspaceFolder}`, remoteEnv: {}, customizations: [] };
      },
    },
    configFiles: {
      async canonicalKey(workspaceFolder) {
        return { workspaceFolder, configPath: configOf(workspaceFolder) };
      },
      async realDirectory(path) {
        return path;
      },
      async read() {
        return { kind: 'valid', fingerprint: 'f', properties: {}, config: {}, modifiedAt: 0 };
      },
      async watchDirectories() {
        return ['/w'];
      },
    },
    watcher: {
      watch() {
        watches++;
        return { close: () => void watches-- };
      },
      async close() {},
    },
    subAgentClient: {
      async list() {
        await scheduler.step('records: listed');
        return [...records.values()];
      },
      async create(spec) {
        const folder = spec.directory.slice('/in'.length);
        registering.set(folder, (registering.get(folder) ?? 0) + 1);
        await scheduler
          .step('record: asked')
          .finally(() => registering.set(folder, (registering.get(folder) ?? 1) - 1));
        if (mayFail(0.1)) throw new AgentContainersError('control-plane-unreachable', 'Registering failed.');
        if ([...records.values()].some((record) => record.name === spec.name)) {
          throw new AgentContainersError('sub-agent-name-taken', 'The name is taken.');
        }
        const record = { ...spec, id: newId() };
        records.set(record.id, record);
        return { record, token: `token of ${record.id}` };
      },
      async delete(id) {
        await scheduler.step('record: deleted');
        records.delete(id);
      },
    },
    subAgentProvider: {
      async resolve() {
        return { name: 'agent', path: '/agent', sha256: '0'.repeat(64) };
      },
    },
    subAgentLauncher: {
      async deliver({ containerId, signal }) {
        injects(containerId, 'delivery began');
        if (mayFail(0.1)) await hang(containers.get(containerId)?.folder ?? '', signal);
        await scheduler.step('deliver');
        if (!containers.get(containerId)?.running || mayFail(0.1)) {
          throw new AgentContainersError('sub-agent-delivery-failed', 'Delivery failed.');
        }
        return { path: '/agent', way: 'archive' };
      },
      async launch({ containerId, env, signal }) {
        injects(containerId, 'launch began');
        await scheduler.step('launch');
        signal.throwIfAborted();
        if (!containers.get(containerId)?.running) {
          throw new AgentContainersError('sub-agent-start-failed', 'Start failed.');
        }
        const exited = createDeferred<SubAgentExit>();
        const live: LiveProcess = {
          containerId,
          recordId: env['AGENTCONTAINERS_ID'] ?? '',
          end(reason) {
            processes.delete(live);
            exited.resolve({ reason, exitCode: 0, message: reason, outputTail: '' });
          },
        };
        processes.add(live);
        const stop = (): void => live.end('stopped');
        signal.addEventListener('abort', stop);
        await scheduler.step('launch: ready');
        const process: SubAgentProcess = {
          exited: exited.promise,
          async stop() {
            await scheduler.step('sub-agent: stop');
            live.end('stopped');
          },
        };
        return process;
      },
    },
  };

  return {
    ports,
    random,
    scheduler,
    clock,
    violations,
    containers,
    processes,
    records,
    outside,
    stopFailing: (): void => {
      failing = false;
    },
    /** The world's own count of moments, apart from any clock. */
    get moment() {
      return moment;
    },
    endedAt,
    removedAt,
    /** Folders that a person asked for, so that they are listed without a container too. */
    wanted,
    get listings() {
      return listings;
    },
    begun: (folder: string): number => begun.get(folder) ?? 0,
    /** A lifecycle command for this folder was accepted; unless what carries it out has begun since, it must soon. */
    commanded(folder: string, begunBefore: number): void {
      if ((begun.get(folder) ?? 0) === begunBefore) commanded.set(folder, moment);
    },
    answered: (folder: string): void => void commanded.delete(folder),
    get openWatches() {
      return watches;
    },
    get openStreams() {
      return streams.size;
    },
    get underWay() {
      return [...exclusive.entries()].map(([folder, what]) => `${what} in ${folder}`);
    },
  };
}

export type ChaosWorld = ReturnType<typeof createChaosWorld>;
