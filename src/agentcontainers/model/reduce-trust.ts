import { decideAutoStart } from './decide-auto-start.ts';
import type { Effect } from './effects.ts';
import type { Event } from './events.ts';
import { withEntry, type State } from './state.ts';

type Of<T extends Event['type']> = Extract<Event, { type: T }>;
type Result = readonly [State, readonly Effect[]];

const PERSIST: Effect = { type: 'persist' };

export function reduceTrusted(state: State, event: Of<'trusted'>): Result {
  const before = state.entries.get(event.id);
  if (!before) return [state, []];
  const [entry, effects] = decideAutoStart(state, { ...before, trust: event.trust });
  return [withEntry(state, entry), [...effects, PERSIST]];
}

export function reduceTrustRevoked(state: State, event: Of<'trustRevoked'>): Result {
  const entry = state.entries.get(event.id);
  if (!entry?.trust) return [state, []];
  const { trust: _revoked, ...rest } = entry;
  return [withEntry(state, rest), [PERSIST]];
}

/** What an image asks for belongs to the verdict, also for the next time, before anything is built. */
export function reduceImageJudged(state: State, event: Of<'imageJudged'>): Result {
  const entry = state.entries.get(event.id);
  if (!entry) return [state, []];
  const { imageFindings, verdict } = event;
  return [withEntry(state, { ...entry, imageFindings, verdict }), [PERSIST]];
}
