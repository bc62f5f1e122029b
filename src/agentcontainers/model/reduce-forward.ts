import type { Effect } from './effects.ts';
import type { Event } from './events.ts';
import { MOST_FORWARDS, type PortForward } from './forward.ts';
import { withEntry, type Entry, type State } from './state.ts';

type Of<T extends Event['type']> = Extract<Event, { type: T }>;
type Result = readonly [State, readonly Effect[]];

const PERSIST: Effect = { type: 'persist' };

export function reduceForwardAdded(state: State, event: Of<'forwardAdded'>): Result {
  const { id, forward } = event;
  const entry = state.entries.get(id);
  if (!entry || state.lifecycle !== 'open' || entry.forwards.length >= MOST_FORWARDS) return [state, []];
  if (entry.forwards.some((other) => other.id === forward.id)) return [state, []];
  return [withEntry(state, { ...entry, forwards: [...entry.forwards, forward] }), [PERSIST]];
}

/** It listens now, or it does not. What it leads to stays. */
export function reduceForwardChanged(state: State, event: Of<'forwardChanged'>): Result {
  const { id, forwardId, error } = event;
  const entry = state.entries.get(id);
  const before = entry?.forwards.find((forward) => forward.id === forwardId);
  if (!entry || !before || (before.error === error && before.status === statusOf(error))) return [state, []];
  const { error: _over, ...known } = before;
  const after: PortForward = { ...known, status: statusOf(error), ...(error === undefined ? {} : { error }) };
  const forwards = entry.forwards.map((forward) => (forward === before ? after : forward));
  return [withEntry(state, { ...entry, forwards }), []];
}

export function reduceForwardEnded(state: State, event: Of<'forwardEnded'>): Result {
  const entry = state.entries.get(event.id);
  const forwards = entry?.forwards.filter(({ id }) => id !== event.forwardId) ?? [];
  if (!entry || forwards.length === entry.forwards.length) return [state, []];
  return [withEntry(state, { ...entry, forwards }), [PERSIST]];
}

/** Whose forward has this port of the host, if any. */
export function forwardOfHostPort(
  state: State,
  hostPort: number,
): { readonly entry: Entry; readonly forward: PortForward } | undefined {
  for (const entry of state.entries.values()) {
    const forward = entry.forwards.find((one) => one.hostPort === hostPort);
    if (forward) return { entry, forward };
  }
  return undefined;
}

const statusOf = (error: string | undefined): PortForward['status'] => (error === undefined ? 'listening' : 'failed');
