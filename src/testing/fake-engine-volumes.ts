import type { Container } from '../agentcontainers/model/container.ts';

/** What a test does to volumes. */
export interface FakeVolumeControls {
  /** Those that containers mount exist without this. */
  addVolume(name: string, labels?: Readonly<Record<string, string>>): void;
  /** Names, oldest first. */
  readonly volumes: readonly string[];
}

export interface FakeVolumes {
  readonly controls: FakeVolumeControls;
  /** Makes sure that what a new container mounts is there. */
  ensure(container: Container): void;
  /** Names of those whose labels satisfy. */
  list(matches: (labels: Readonly<Record<string, string>>) => boolean): string[];
  /** Gone already is success; false when a container mounts it. */
  remove(name: string): boolean;
  /** Removes those that the engine has named itself and that no other container mounts. */
  removeAnonymous(formerlyOf: Container): void;
}

/** @param containers all that there are now */
export function createFakeVolumes(containers: () => readonly Container[]): FakeVolumes {
  const volumes = new Map<string, Readonly<Record<string, string>>>();

  function remove(name: string): boolean {
    if (containers().some((container) => volumesOf(container).includes(name))) return false;
    volumes.delete(name);
    return true;
  }

  return {
    controls: {
      addVolume: (name, labels = {}) => void volumes.set(name, labels),
      get volumes() {
        return [...volumes.keys()];
      },
    },
    ensure(container) {
      for (const name of volumesOf(container)) if (!volumes.has(name)) volumes.set(name, {});
    },
    list: (matches) => [...volumes].flatMap(([name, labels]) => (matches(labels) ? name : [])),
    remove,
    removeAnonymous(container) {
      for (const name of volumesOf(container)) if (/^[0-9a-f]{64}$/.test(name)) remove(name);
    },
  };
}

function volumesOf({ mounts }: Container): string[] {
  return mounts.flatMap(({ type, source }) => (type === 'volume' ? source : []));
}
