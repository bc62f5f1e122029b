import { bounded } from '../../async/abort.ts';
import { createLimiter } from '../../async/limiter.ts';
import type { Clock } from '../../clock/clock.ts';
import { INSPECTIONS_AT_ONCE, INSPECT_TIMEOUT } from '../constants.ts';
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
  /** False: to be asked again when it runs. */
  fresh: boolean;
}

export function createContainerDetails(engine: ContainerEngine, clock: Clock): ContainerDetailsCache {
  const known = new Map<string, Known>();
  const limiter = createLimiter(INSPECTIONS_AT_ONCE);

  async function inspect(container: Container, signal: AbortSignal): Promise<void> {
    known.set(container.id, { createdAt: container.createdAt, fresh: true });
    let exact: Omit<Known, 'fresh'> = { createdAt: container.createdAt };
    try {
      const details = await bounded(clock, INSPECT_TIMEOUT, 'Inspecting a container', signal, (limited) =>
        limiter.run(limited, () => engine.inspectContainer(container.id, limited)),
      );
      exact = { createdAt: details.createdAt ?? container.createdAt, startedAt: details.startedAt };
    } catch {
      // It went away, or cannot be inspected: what the listing told must do, until something happens to it. One sick
      // container must not take the list of all others down.
      signal.throwIfAborted();
    }
    // An event that came while it was asked makes the answer old.
    known.set(container.id, { ...exact, fresh: known.get(container.id)?.fresh ?? false });
  }

  return {
    async refine(containers, signal) {
      const present = new Set(containers.map((container) => container.id));
      for (const id of known.keys()) if (!present.has(id)) known.delete(id);
      const asked = containers.filter(
        (container) =>
          container.state === 'running' &&
          container.labels[LABEL.localFolder] !== undefined &&
          known.get(container.id)?.fresh !== true,
      );
      await Promise.all(asked.map((container) => inspect(container, signal)));
      return containers.map((container) => {
        const details = known.get(container.id);
        return details ? { ...container, createdAt: details.createdAt, startedAt: details.startedAt } : container;
      });
    },
    forget(containerId) {
      if (containerId === undefined) for (const details of known.values()) details.fresh = false;
      else {
        const details = known.get(containerId);
        if (details) details.fresh = false;
      }
    },
  };
}
