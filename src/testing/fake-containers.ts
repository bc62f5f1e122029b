import type { Container } from '../agentcontainers/model/container.ts';
import type { ContainerBlueprint, ContainerDetails } from '../agentcontainers/ports.ts';
import type { Clock } from '../clock/clock.ts';
import { AgentContainersError } from '../errors.ts';
import { DEFAULT_IMAGE, buildContainer, buildContainerDetails, fakeContainerId } from './build-container.ts';
import type { ContainerSeed } from './build-container.ts';
import { createFakeContainerFiles } from './fake-container-files.ts';
import type { FakeContainerFiles, FakeFile } from './fake-container-files.ts';

/** What a test does to containers, as if by hand. Containers are named by id, unique beginning of it, or name. */
export interface FakeContainerControls {
  /** Makes a container, running unless `state` says otherwise, and emits its events. */
  addContainer(seed?: ContainerSeed): Container;
  /** All containers as they are now, newest first, as engines list them. */
  containers(): Container[];
  container(name: string): Container;
  /** Already running does nothing. */
  start(name: string): void;
  /** Already stopped does nothing. Exit code 0 unless said otherwise. */
  stop(name: string, exitCode?: number): void;
  restart(name: string): void;
  pause(name: string): void;
  unpause(name: string): void;
  /** The main process ends by itself; exit code 1, or 137 when out of memory. */
  crash(
    name: string,
    how?: { readonly exitCode?: number; readonly oomKilled?: boolean; readonly error?: string },
  ): void;
  /** Removes it, also when it runs. */
  remove(name: string): void;
  /** Calls `listener` whenever a container stops running or is removed. */
  onContainerEnd(listener: (container: Container, how: 'stopped' | 'removed') => void): void;
}

interface FakeContainer {
  seed: ContainerSeed;
  container: Container;
  readonly files: FakeContainerFiles;
  logTail: string | undefined;
}

/** Where containers get their images from. */
export interface ContainerImages {
  /** The id of an image, if the engine has it. */
  find(image: string): { readonly id: string; readonly files: ReadonlyMap<string, FakeFile> } | undefined;
  ensure(reference: string, id: string): void;
}

export interface FakeContainers {
  readonly controls: FakeContainerControls;
  has(name: string): boolean;
  /** `engine-object-not-found`. */
  find(name: string): FakeContainer;
  details(name: string): ContainerDetails;
  /** `engine-conflict` when another container has the name. */
  rename(name: string, newName: string): void;
  describe(name: string): ContainerBlueprint;
  /** As the adapter does: one that was made from the same blueprint and image and never ran is taken over. Its id. */
  create(blueprint: ContainerBlueprint, imageId: string): string;
}

export function createFakeContainers(
  clock: Clock,
  emit: (action: string, container: Container) => void,
  images: ContainerImages,
): FakeContainers {
  const all = new Map<string, FakeContainer>();
  const endListeners = new Set<(container: Container, how: 'stopped' | 'removed') => void>();
  let count = 0;

  function lookUp(name: string): FakeContainer | undefined {
    const exact = all.get(name) ?? [...all.values()].find(({ container }) => container.name === name);
    if (exact || name === '') return exact;
    const beginning = [...all.values()].filter(({ container }) => container.id.startsWith(name));
    return beginning.length === 1 ? beginning[0] : undefined;
  }

  function find(name: string): FakeContainer {
    const found = lookUp(name);
    if (found) return found;
    throw new AgentContainersError('engine-object-not-found', `Finding container ${name} failed: there is none.`);
  }

  function change(fake: FakeContainer, patch: ContainerSeed): void {
    fake.seed = { ...fake.seed, ...patch };
    fake.container = buildContainer(fake.seed);
  }

  function end(fake: FakeContainer, how: 'stopped' | 'removed'): void {
    for (const listener of endListeners) listener(fake.container, how);
  }

  function refuseTakenName(name: string, doing: string): void {
    if (![...all.values()].some(({ container }) => container.name === name)) return;
    throw new AgentContainersError('engine-conflict', `${doing} failed: the name is taken by another container.`);
  }

  const controls: FakeContainerControls = {
    addContainer(seed = {}) {
      const number = ++count;
      const known = images.find(seed.image ?? DEFAULT_IMAGE);
      const full = {
        id: fakeContainerId(number),
        name: `container-${number}`,
        createdAt: clock.now(),
        ...(known && { imageId: known.id }),
        ...seed,
      };
      if (lookUp(full.id) || lookUp(full.name)) {
        throw new Error(`Adding container ${full.name} failed: its id or name is taken.`);
      }
      const container = buildContainer(full);
      images.ensure(container.image, container.imageId);
      const files = createFakeContainerFiles(images.find(container.imageId)?.files);
      all.set(container.id, { seed: full, container, files, logTail: undefined });
      emit('create', container);
      if (container.state !== 'created') emit('start', container);
      return container;
    },
    containers: () => [...all.values()].map(({ container }) => container).toReversed(),
    container: (name) => find(name).container,
    start(name) {
      const fake = find(name);
      if (fake.container.running) return;
      change(fake, { state: 'running', startedAt: clock.now(), exitCode: 0, error: '', oomKilled: false });
      emit('start', fake.container);
    },
    stop(name, exitCode = 0) {
      const fake = find(name);
      if (!fake.container.running && fake.container.state !== 'paused') return;
      change(fake, { state: 'exited', exitCode });
      for (const action of ['kill', 'die', 'stop']) emit(action, fake.container);
      end(fake, 'stopped');
    },
    restart(name) {
      controls.stop(name);
      controls.start(name);
      emit('restart', find(name).container);
    },
    pause(name) {
      const fake = find(name);
      if (!fake.container.running) throw new Error(`Pausing container ${name} failed: it is not running.`);
      change(fake, { state: 'paused' });
      emit('pause', fake.container);
    },
    unpause(name) {
      const fake = find(name);
      if (fake.container.state !== 'paused') throw new Error(`Unpausing container ${name} failed: it is not paused.`);
      change(fake, { state: 'running' });
      emit('unpause', fake.container);
    },
    crash(name, { oomKilled = false, exitCode = oomKilled ? 137 : 1, error = '' } = {}) {
      const fake = find(name);
      if (!fake.container.running) throw new Error(`Crashing container ${name} failed: it is not running.`);
      change(fake, { state: 'exited', exitCode, oomKilled, error });
      if (oomKilled) emit('oom', fake.container);
      emit('die', fake.container);
      end(fake, 'stopped');
    },
    remove(name) {
      const fake = find(name);
      if (fake.container.running) {
        change(fake, { state: 'exited', exitCode: 137 });
        for (const action of ['kill', 'die']) emit(action, fake.container);
      }
      all.delete(fake.container.id);
      emit('destroy', fake.container);
      end(fake, 'removed');
    },
    onContainerEnd: (listener) => void endListeners.add(listener),
  };

  return {
    controls,
    find,
    has: (name) => lookUp(name) !== undefined,
    details: (name) => buildContainerDetails(find(name).seed),
    rename(name, newName) {
      const fake = find(name);
      if (fake.container.name === newName) return;
      refuseTakenName(newName, `Renaming container ${name} to ${newName}`);
      change(fake, { name: newName });
      emit('rename', fake.container);
    },
    describe(name) {
      const { seed, container } = find(name);
      const { labels, mounts, ports } = container;
      const { user, env } = seed;
      return JSON.stringify({ version: 1, seed: { name: container.name, labels, mounts, ports, user, env } });
    },
    create(blueprint, imageId) {
      const seed = readBlueprint(blueprint);
      const name = seed.name ?? '';
      const existing = all.get(lookUp(name)?.container.id ?? '')?.container;
      const isOurs = existing?.state === 'created' && existing.imageId === imageId;
      if (existing?.name === name && isOurs) return existing.id;
      refuseTakenName(name, `Making container ${name}`);
      const image = images.find(imageId);
      if (!image) {
        throw new AgentContainersError(
          'engine-object-not-found',
          `Making container ${name} failed: no image ${imageId}.`,
        );
      }
      return controls.addContainer({ ...seed, image: imageId, imageId: image.id, state: 'created' }).id;
    },
  };
}

function readBlueprint(blueprint: ContainerBlueprint): ContainerSeed {
  const { version, seed } = JSON.parse(blueprint) as { version?: number; seed?: ContainerSeed };
  if (version !== 1 || !seed?.name) {
    throw new AgentContainersError('state-unreadable', 'Reading the description of a container failed: it is none.');
  }
  return seed;
}
