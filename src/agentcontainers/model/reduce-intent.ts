import { endAgent } from './decide-agent.ts';
import type { Effect } from './effects.ts';
import type { Event } from './events.ts';
import type { Intent } from './intent.ts';
import { owned } from './reduce-lifecycle.ts';
import { withChangedEntry, withEntry, type State } from './state.ts';

type Of<T extends Event['type']> = Extract<Event, { type: T }>;
type Result = readonly [State, readonly Effect[]];

const PERSIST: Effect = { type: 'persist' };
const KEPT_ABANDONED = 10;

/** A job has written down what it sets out to do, or a further step of it. */
export function reduceIntentNoted(state: State, event: Of<'upBegan' | 'deleteBegan'>): Result {
  const entry = owned(state, { id: event.id, jobId: event.intent.operationId });
  return entry ? [withEntry(state, { ...entry, intent: event.intent }), [PERSIST]] : [state, []];
}

/** The old container is going to be stopped: whatever runs in it ends, and it does not stand for the entry any more. */
export function reduceSwapBegan(state: State, event: Of<'swapBegan'>): Result {
  const before = owned(state, event);
  if (before?.intent?.kind !== 'up') return [state, []];
  const [ended, effects] = endAgent(before, 'none');
  const intent: Intent = { ...before.intent, swap: event.swap };
  const entry = { ...ended, intent, link: undefined, candidates: [] };
  return [withChangedEntry(state, entry), [...effects, PERSIST]];
}

export function reduceSwapReady(state: State, event: Of<'swapReady'>): Result {
  const entry = owned(state, event);
  if (entry?.intent?.kind !== 'up' || !entry.intent.swap) return [state, []];
  const intent: Intent = { ...entry.intent, swap: { ...entry.intent.swap, isReady: true } };
  return [withEntry(state, { ...entry, intent }), [PERSIST]];
}

/** What was to be exchanged is in order, with the new container or with the old one. */
export function reduceSwapEnded(state: State, event: Of<'swapEnded'>): Result {
  const entry = owned(state, event);
  if (entry?.intent?.kind !== 'up') return [state, []];
  const { swap: _over, isInterrupted: _handled, process: _ended, ...intent } = entry.intent;
  const others = entry.abandoned.filter((generation) => generation !== event.abandoned);
  const abandoned =
    event.abandoned === undefined ? entry.abandoned : [...others, event.abandoned].slice(-KEPT_ABANDONED);
  return [withEntry(state, { ...entry, intent, abandoned }), [PERSIST]];
}

export function reduceContainerMade(state: State, event: Of<'containerMade'>): Result {
  const entry = state.entries.get(event.id);
  if (!entry) return [state, []];
  const others = entry.made.filter((made) => made.containerId !== event.made.containerId);
  return [withEntry(state, { ...entry, made: [...others, event.made] }), [PERSIST]];
}
