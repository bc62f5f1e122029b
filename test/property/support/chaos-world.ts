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
import { createFakeLocalListener } from '../../../src/testing/fake-local-listener.ts';
import { createManualClock, createRandom, createScheduler } from './scheduler.ts';

export const FOLDERS = ['/w/a', '/w/b', '/w/x/a'] as const;

interface TrueContainer {
  readonly id: string;
  readonly folder: string;
  readonly createdAt: number;
  startedAt: number;
  running: boolean;
  name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** It was renamed, to make room for its successor: from then on it does not stand for its folder. */
  aside: boolean;
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
  /** Containers of which a removal failed. */
  const notRemoved = new Set<string>();
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
    for (const push of streams)
      push({ type: 'container', action, subjectId: containerId, at: clock.now(), labels: {} });
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

  function make(folder: string, labels: Readonly<Record<string, string>>): TrueContainer {
    const at = clock.now() + ++counter;
    const id = `c${counter}`;
    const container = { id, name: id, folder, createdAt: at, startedAt: at, running: true, labels, aside: false };
    containers.set(id, container);
    emit('start', id);
    return container;
  }

  /** A call that changes one container, which may have gone meanwhile. */
  async function change(
    id: string,
    what: string,
    signal: AbortSignal,
    work: (container: TrueContainer) => void,
  ): Promise<void> {
    const container = containers.get(id);
    const folder = container?.folder ?? id;
    // What stands aside is in nobody's way; a delete stops and removes all containers of a folder together.
    const isAlone = !container?.aside && exclusive.get(folder) !== what;
    const release = isAlone ? exclusively(folder, what) : () => {};
    // Who gave it up does not wait for it; the engine may do it all the same.
    signal.addEventListener('abort', release);
    try {
      await scheduler.step(what);
      if (mayFail(0.1)) {
        if (what === 'remove') notRemoved.add(id);
        throw new AgentContainersError('engine-request-failed', `The call ${what} failed.`);
      }
      if (container && containers.has(id)) work(container);
      await scheduler.step(`${what}: answered`);
    } finally {
      release();
    }
  }

  const outside = {
    create(folder: string): void {
      if (![...containers.values()].some((container) => container.folder === folder)) make(folder, {});
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
    const { id, name, folder, createdAt, running } = container;
    return {
      id,
      name,
      image: 'image',
      imageId: 'image',
      labels: {
        ...container.labels,
        'devcontainer.local_folder': folder,
        'devcontainer.config_file': configOf(folder),
      },
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
      const { mode, labels = {} } = request;
      const found = [...containers.values()].findLast(
        (container) =>
          container.folder === folder &&
          Object.entries(labels).every(([name, value]) => container.labels[name] === value),
      );
      const mine = mode === 'find' && found ? found : make(folder, labels);
      outside.start(mine);
      await checkpoint('created');
      if (mayFail(0.1)) return failed(mine.id);
      if (random.chance(0.6)) {
        ready(true);
        exclusive.set(folder, 'tail');
        for (let hook = 0; hook < 6; hook++) await checkpoint('tail');
        if (mayFail(0.3)) return failed(mine.id);
      }
      return { outcome: 'success', containerId: mine.id };
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
    localListener: createFakeLocalListener(),
    engine: {
      async info() {
        return { name: 'chaos', version: '0', apiVersion: '1.41', operatingSystem: 'linux', architecture: 'amd64' };
      },
      async listContainers({ labels, signal }) {
        if (labels.length === 0) listings++;
        await scheduler.step('list: asked');
        if (mayFail(0.1)) throw new AgentContainersError('engine-unreachable', 'Listing failed.');
        const snapshot = [...containers.values()].map(seen).filter((container) =>
          labels.every((label) => {
            const [name = '', value] = label.split('=');
            return container.labels[name] === value;
          }),
        );
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
      startContainer: (id, signal) => change(id, 'start', signal, (container) => outside.start(container)),
      stopContainer: (id, { signal }) => change(id, 'stop', signal, (container) => outside.stop(container)),
      removeContainer: (id, { signal }) => change(id, 'remove', signal, (container) => outside.remove(container)),
      renameContainer: (id, name, signal) =>
        change(id, 'rename', signal, (container) => {
          container.name = name;
          container.aside = name !== container.id;
        }),
      async inspectImage() {
        await scheduler.step('image');
        if (mayFail(0.1)) throw new AgentContainersError('engine-unreachable', 'Inspecting failed.');
        return { id: 'image', platform: { operatingSystem: 'linux', architecture: 'amd64' }, labels: {} };
      },
      async describeContainer() {
        throw new Error('Unscripted call: describeContainer');
      },
      async commitContainer() {
        throw new Error('Unscripted call: commitContainer');
      },
      async createContainer() {
        throw new Error('Unscripted call: createContainer');
      },
      async listImages() {
        return [];
      },
      async removeImage() {},
      async listVolumes() {
        return [];
      },
      async removeVolume() {
        return true;
      },
      async listNetworks() {
        return [];
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
      async build({ key, signal }) {
        await scheduler.step(`build ${key.workspaceFolder}`);
        signal.throwIfAborted();
        if (mayFail(0.1)) return { outcome: 'error', message: 'it does not build', phase: 'build', outputTail: '' };
        return { outcome: 'success', images: ['image'] };
      },
      async endProcess() {},
      up(request) {
        const ready = createDeferred<boolean>();
        const done = runUp(request, ready.resolve);
        done.catch(() => {});
        return { ready: ready.promise, done };
      },
      async readConfiguration({ key }) {
        await scheduler.step('read configuration');
        return { workspaceFolder: `/in${key.workspaceFolder}`, remoteEnv: {}, customizations: [], hooks: {} };
      },
    },
    configFiles: {
      async canonicalKey(workspaceFolder) {
        return { workspaceFolder, configPath: configOf(workspaceFolder) };
      },
      async realDirectory(path) {
        return path;
      },
      async gitRoot(folder) {
        return folder;
      },
      async read() {
        return {
          kind: 'valid',
          fingerprint: 'f',
          inputs: {},
          images: [],
          config: {},
          modifiedAt: 0,
          findings: [],
          problems: [],
        };
      },
      async contents() {
        return {};
      },
      imageFindings: () => [],
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
    projectFinder: {
      async find() {
        return { keys: [], watchDirectories: [] };
      },
    },
    subAgentLauncher: {
      async readOnlyMount() {
        return undefined;
      },
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
    notRemoved,
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
