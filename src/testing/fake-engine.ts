import type { ContainerEngine, EngineInfo } from '../agentcontainers/ports.ts';
import type { Clock } from '../clock/clock.ts';
import { AgentContainersError } from '../errors.ts';
import { asListed } from './build-container.ts';
import { createFakeContainers } from './fake-containers.ts';
import type { FakeContainerControls } from './fake-containers.ts';
import type { FakeFile } from './fake-container-files.ts';
import { createFakeEngineEvents } from './fake-engine-events.ts';
import { createFakeImages } from './fake-engine-images.ts';
import type { FakeImageControls } from './fake-engine-images.ts';
import { createFakeVolumes } from './fake-engine-volumes.ts';
import type { FakeVolumeControls } from './fake-engine-volumes.ts';
import { createFakeExecs } from './fake-engine-execs.ts';
import type { ExecBehaviour, ExecMatcher, FakeExecSession } from './fake-exec.ts';
import type { LeakSource } from './leak-guard.ts';
import { createScriptedCalls } from './scripted-calls.ts';
import type { CallControls } from './scripted-calls.ts';

const ENGINE_CALLS = [
  'info',
  'listContainers',
  'inspectContainer',
  'imagePlatform',
  'events',
  'startContainer',
  'stopContainer',
  'removeContainer',
  'inspectImage',
  'renameContainer',
  'describeContainer',
  'commitContainer',
  'createContainer',
  'removeImage',
  'listImages',
  'listVolumes',
  'removeVolume',
  'listNetworks',
  'removeNetworks',
  'exec',
  'statPath',
  'putArchive',
  'containerLogTail',
  'close',
] as const satisfies readonly (keyof ContainerEngine)[];

export type EngineCall = (typeof ENGINE_CALLS)[number];

/** What a test does to the engine; what the library does to it is the port. */
export interface FakeEngine
  extends
    ContainerEngine,
    CallControls<EngineCall>,
    FakeContainerControls,
    FakeImageControls,
    FakeVolumeControls,
    LeakSource {
  /** From now on every call rejects with `engine-unreachable`, and open event streams break. */
  goDown(): void;
  comeBack(): void;

  readonly openEventStreams: number;
  /** Ends open event streams, or makes them throw. */
  cutEvents(error?: Error): void;
  /** Streams stay open and fall silent. What happens meanwhile is not delivered later, but can be replayed by `since`. */
  freezeEvents(): void;
  thawEvents(): void;

  /** Scripts commands; of several behaviours that match, the one given last counts. */
  onExec(matcher: ExecMatcher, behaviour: ExecBehaviour): void;
  /** Commands that are running, oldest first. */
  readonly openExecs: readonly FakeExecSession[];

  /** What was copied into the container, by absolute path. */
  files(container: string): ReadonlyMap<string, FakeFile>;
  addFile(container: string, path: string, content: string | Uint8Array, mode?: number): void;
  setLogTail(container: string, text: string): void;
  addNetwork(name: string, labels: Readonly<Record<string, string>>): void;
  readonly networks: readonly string[];
}

const DEFAULT_INFO: EngineInfo = {
  name: 'docker',
  version: '20.10.24',
  apiVersion: '1.41',
  operatingSystem: 'linux',
  architecture: 'amd64',
};

/** A container engine in memory. Starts without containers; commands must be scripted. */
export function createFakeEngine(options: { clock: Clock; info?: Partial<EngineInfo> }): FakeEngine {
  let down = false;
  const calls = createScriptedCalls('engine', ENGINE_CALLS, () => {
    if (down) throw unreachable();
  });
  const events = createFakeEngineEvents(options.clock, (signal) => calls.perform('events', signal, () => {}));
  const images = createFakeImages((action, subjectId, labels) =>
    events.emit({ type: 'image', action, subjectId, labels }),
  );
  const containers = createFakeContainers(
    options.clock,
    (action, container) => {
      if (action === 'create') volumes.ensure(container);
      events.emit({ type: 'container', action, subjectId: container.id, labels: container.labels });
    },
    images,
  );
  const volumes = createFakeVolumes(() => containers.controls.containers());
  const execs = createFakeExecs(calls.unscripted, calls.report);
  const networks = new Map<string, Readonly<Record<string, string>>>();

  containers.controls.onContainerEnd((container, how) => execs.endAll(container, how === 'removed' ? null : 137));

  return {
    ...containers.controls,
    addImage: images.controls.addImage,
    dropImage: images.controls.dropImage,
    setPlatform: images.controls.setPlatform,
    get images() {
      return images.controls.images;
    },
    addVolume: volumes.controls.addVolume,
    get volumes() {
      return volumes.controls.volumes;
    },
    calls: calls.calls,
    failNext: calls.failNext,
    hang: calls.hang,

    goDown() {
      down = true;
      events.cut(unreachable());
    },
    comeBack() {
      down = false;
    },
    get openEventStreams() {
      return events.open;
    },
    cutEvents: events.cut,
    freezeEvents: events.freeze,
    thawEvents: events.thaw,
    onExec: execs.on,
    get openExecs() {
      return execs.open;
    },
    files: (container) => containers.find(container).files.all,
    addFile: (container, path, content, mode) => containers.find(container).files.add(path, content, mode),
    setLogTail(container, text) {
      containers.find(container).logTail = text;
    },
    addNetwork: (name, labels) => void networks.set(name, labels),
    get networks() {
      return [...networks.keys()];
    },

    info: (signal) => calls.perform('info', signal, () => ({ ...DEFAULT_INFO, ...options.info })),
    listContainers: ({ labels, signal }) =>
      calls.perform('listContainers', signal, () =>
        containers.controls
          .containers()
          .filter((container) => hasLabels(container.labels, labels))
          .map(asListed),
      ),
    inspectContainer: (id, signal) => calls.perform('inspectContainer', signal, () => containers.details(id)),
    imagePlatform: (image, signal) =>
      calls.perform('imagePlatform', signal, () => {
        const platform = images.platform(image);
        if (platform) return platform;
        throw new AgentContainersError('engine-object-not-found', `Inspecting image ${image} failed: no such image.`);
      }),
    events: (query) => events.stream(query),
    startContainer: (id, signal) => calls.perform('startContainer', signal, () => containers.controls.start(id)),
    stopContainer: (id, { signal }) =>
      calls.perform('stopContainer', signal, () => {
        if (containers.has(id)) containers.controls.stop(id);
      }),
    removeContainer: (id, { volumes: withVolumes, force, signal }) =>
      calls.perform('removeContainer', signal, () => {
        if (!containers.has(id)) return;
        const { container } = containers.find(id);
        if (container.running && !force) {
          throw new AgentContainersError('engine-conflict', `Removing container ${id} failed: it is running.`);
        }
        containers.controls.remove(id);
        if (withVolumes) volumes.removeAnonymous(container);
      }),
    inspectImage: (image, signal) => calls.perform('inspectImage', signal, () => images.details(image)),
    renameContainer: (id, name, signal) => calls.perform('renameContainer', signal, () => containers.rename(id, name)),
    describeContainer: (id, signal) => calls.perform('describeContainer', signal, () => containers.describe(id)),
    commitContainer: (id, { labels }, signal) =>
      calls.perform('commitContainer', signal, () => {
        const { container, files } = containers.find(id);
        return images.commit({ ...container.labels, ...labels }, container.imageId, files.all);
      }),
    createContainer: (blueprint, imageId, signal) =>
      calls.perform('createContainer', signal, () => containers.create(blueprint, imageId)),
    removeImage: (id, signal) =>
      calls.perform('removeImage', signal, () => {
        const isUsed = containers.controls.containers().some(({ imageId }) => imageId === images.details(id)?.id);
        if (!isUsed) images.removeUnnamed(id);
      }),
    listImages: ({ labels, signal }) =>
      calls.perform('listImages', signal, () =>
        images.controls.images.flatMap((image) => (hasLabels(image.labels, labels) ? image.id : [])),
      ),
    listVolumes: ({ labels, signal }) =>
      calls.perform('listVolumes', signal, () => volumes.list((own) => hasLabels(own, labels))),
    removeVolume: (name, signal) => calls.perform('removeVolume', signal, () => volumes.remove(name)),
    listNetworks: ({ labels, signal }) =>
      calls.perform('listNetworks', signal, () =>
        [...networks].flatMap(([name, own]) => (hasLabels(own, labels) ? name : [])),
      ),
    removeNetworks: ({ labels, signal }) =>
      calls.perform('removeNetworks', signal, () => {
        for (const [name, own] of networks) if (hasLabels(own, labels)) networks.delete(name);
      }),
    exec: (spec) =>
      calls.perform('exec', spec.signal, () => execs.run(spec, containers.find(spec.containerId).container)),
    statPath: (id, path, signal) => calls.perform('statPath', signal, () => containers.find(id).files.stat(path)),
    putArchive: (id, path, tar, signal) =>
      calls.perform('putArchive', signal, () => containers.find(id).files.putArchive(path, tar)),
    containerLogTail: (id, lines, signal) =>
      calls.perform('containerLogTail', signal, () => {
        const { logTail } = containers.find(id);
        if (logTail === undefined) {
          throw calls.unscripted('engine.containerLogTail', 'Script it with engine.setLogTail(…).');
        }
        return logTail.split('\n').slice(-lines).join('\n');
      }),
    close: () => calls.perform('close', undefined, () => {}),

    leaks: () => [
      ...calls.leaks(),
      ...Array.from({ length: events.open }, () => 'an event stream of the engine is open'),
      ...execs.leaks(),
    ],
  };
}

function hasLabels(own: Readonly<Record<string, string>>, wanted: readonly string[]): boolean {
  return wanted.every((text) => {
    const [name = '', ...value] = text.split('=');
    return Object.hasOwn(own, name) && (value.length === 0 || own[name] === value.join('='));
  });
}

function unreachable(): AgentContainersError {
  return new AgentContainersError(
    'engine-unreachable',
    'Connecting to the container engine failed: it is down. Start it again.',
  );
}
