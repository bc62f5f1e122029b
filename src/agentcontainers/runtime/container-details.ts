import { bounded } from '../../async/abort.ts';
import { createLimiter } from '../../async/limiter.ts';
import type { Clock } from '../../clock/clock.ts';
import { INSPECT_AGAIN, INSPECT_TIMEOUT, INSPECTIONS_AT_ONCE } from '../constants.ts';
import { LABEL, type Container } from '../model/container.ts';
import type { ContainerEngine } from '../ports.ts';

/** What a listing does not tell, asked once per run of a container. */
export interface ContainerDetailsCache {
  /** Adds exact times to dev containers that run. Only containers that are new or changed are inspected. */
  refine(containers: readonly Container[], signal: AbortSignal): Promise<Container[]>;
  /** Something happened to this container; without an id, anything may have happened to any. */
  forget(containerId?: string): void;
}

interface Known {
  readonly createdAt: number;
  readonly startedAt?: number | undefined;
}

export function createContainerDetails(engine: ContainerEngine, clock: Clock): ContainerDetailsCache {
  const known = new Map<string, Known>();
  // Containers about which `known` is up to date. An event takes one out, also while it is being asked about.
  const fresh = new Set<string>();
  const outstanding = new Set<string>();
  // Containers to which something happened since `known` was asked: whether this is still the same run is not known.
  const changed = new Set<string>();
  // When one that could not be inspected is asked about again, unless something happens to it before.
  const notBefore = new Map<string, number>();
  const limiter = createLimiter(INSPECTIONS_AT_ONCE);

  /** What was known stays until there is an answer: one sick container must not change what is shown, or any other. */
  async function inspect({ id, createdAt }: Container, signal: AbortSignal): Promise<void> {
    fresh.add(id);
    try {
      const details = await limiter.run(signal, () =>
        bounded(clock, INSPECT_TIMEOUT, 'Inspecting a container', signal, (limited) => {
          outstanding.add(id);
          return engine.inspectContainer(id, limited).finally(() => outstanding.delete(id));
        }),
      );
      known.set(id, { createdAt: details.createdAt ?? createdAt, startedAt: details.startedAt });
      if (fresh.has(id)) changed.delete(id);
      notBefore.delete(id);
    } catch {
      fresh.delete(id);
      signal.throwIfAborted();
      notBefore.set(id, clock.now() + INSPECT_AGAIN);
    }
  }

  return {
    async refine(containers, signal) {
      const present = new Set(containers.map((container) => container.id));
      for (const ids of [known, fresh, changed, notBefore]) {
        for (const id of ids.keys()) if (!present.has(id)) ids.delete(id);
      }
      const asked = containers.filter(
        (container) =>
          container.state === 'running' &&
          container.labels[LABEL.localFolder] !== undefined &&
          !fresh.has(container.id) &&
          !outstanding.has(container.id) &&
          clock.now() >= (notBefore.get(container.id) ?? 0),
      );
      await Promise.all(asked.map((container) => inspect(container, signal)));
      return containers.map((container) => {
        const details = known.get(container.id);
        if (!details) return container;
        const sameRun = container.state !== 'running' || !changed.has(container.id);
        return { ...container, ...details, startedAt: sameRun ? details.startedAt : undefined };
      });
    },
    forget(containerId) {
      if (containerId !== undefined) changed.add(containerId);
      for (const ids of [fresh, notBefore]) {
        if (containerId === undefined) ids.clear();
        else ids.delete(containerId);
      }
    },
  };
}
