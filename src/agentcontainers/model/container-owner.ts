import { isTransitioning, type Entry, type State } from './state.ts';

/**
 * The entry that a container belongs to. One that claims an entry which is known for its own sake, without proof, is
 * only seen: an image can carry any label. While a job exchanges containers it is not known yet which one is the right one.
 */
export function ownerOf(state: State, containerId: string): Entry | undefined {
  const entry = state.entries.get(state.claims.get(containerId) ?? '');
  if (!entry || entry.level === 'seen' || isTransitioning(entry.phase)) return entry;
  const isAccepted =
    entry.link?.id === containerId || entry.candidates.some((candidate) => candidate.containerId === containerId);
  return isAccepted ? entry : undefined;
}
