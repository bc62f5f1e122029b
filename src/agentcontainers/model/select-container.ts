import type { Container, ContainerState } from './container.ts';
import type { Candidate } from './devcontainer.ts';

// Lower is better. A container that runs always wins over one that does not, however old it is.
const STATE_RANK: Record<ContainerState, number> = {
  running: 0,
  created: 1,
  restarting: 1,
  paused: 2,
  exited: 3,
  removing: 4,
  dead: 4,
};

export interface Selection {
  readonly chosen: Container | undefined;
  /** The others, best first, each with the reason why it was not chosen. */
  readonly candidates: readonly Candidate[];
}

/**
 * Chooses the container of an entry: running > created or restarting > paused > exited; then an exact config label;
 * then the newest; then the id, so that the choice never depends on the order of a listing.
 */
export function selectContainer(containers: readonly Container[], exact: (container: Container) => boolean): Selection {
  const ranked = [...containers].sort(
    (a, b) =>
      STATE_RANK[a.state] - STATE_RANK[b.state] ||
      Number(exact(b)) - Number(exact(a)) ||
      b.createdAt - a.createdAt ||
      (a.id < b.id ? -1 : 1),
  );
  const [chosen, ...others] = ranked;
  if (!chosen) return { chosen: undefined, candidates: [] };
  return {
    chosen,
    candidates: others.map((other) => ({
      containerId: other.id,
      name: other.name,
      reason:
        STATE_RANK[other.state] !== STATE_RANK[chosen.state]
          ? `it is ${other.state}, the chosen one is ${chosen.state}`
          : exact(other) !== exact(chosen)
            ? 'it has no label that names the config file'
            : other.createdAt !== chosen.createdAt
              ? 'it is older'
              : 'it is equal in every way; the smaller id was taken',
    })),
  };
}
