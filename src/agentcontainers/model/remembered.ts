import type { Effect } from './effects.ts';
import type { Event } from './events.ts';
import { isTransitioning, withEntry, type Entry, type State } from './state.ts';
import type { Finding, Trust } from './verdict.ts';

/**
 * What people have said of an entry that is not listed any more, and what was done for them: a branch without the
 * configuration is checked out for a while, and then it is the same again.
 */
export interface RememberedEntry {
  readonly id: string;
  readonly stoppedByPerson: boolean;
  /** It had its start in the life of this library. */
  readonly autoStarted: boolean;
  readonly trust?: Trust | undefined;
  /** What was accepted may have held what its image asks for. */
  readonly imageFindings: readonly Finding[];
}

/** Of more entries that went the oldest are forgotten. */
export const MOST_REMEMBERED = 1_000;

/** To be called when an entry leaves the list. */
export function remember(
  state: State,
  entry: Omit<RememberedEntry, 'autoStarted'> & Pick<Entry, 'autoStarted'>,
): State {
  const { id, stoppedByPerson, autoStarted = false, trust, imageFindings } = entry;
  const remembered = new Map(state.remembered);
  // At the end again: it is the newest.
  const wasThere = remembered.delete(id);
  const isNothing = !stoppedByPerson && !autoStarted && trust === undefined;
  if (isNothing && !wasThere) return state;
  if (!isNothing) remembered.set(id, { id, stoppedByPerson, autoStarted, ...(trust && { trust }), imageFindings });
  for (const oldest of remembered.keys()) {
    if (remembered.size <= MOST_REMEMBERED) break;
    remembered.delete(oldest);
  }
  return { ...state, remembered };
}

/** The entry with what is remembered of it. What it knows itself is newer. */
export function recalled(state: State, entry: Entry): Entry {
  const known = state.remembered.get(entry.id);
  if (!known) return entry;
  const { stoppedByPerson, autoStarted, trust, imageFindings } = known;
  return {
    ...entry,
    // A job that a person asked for owns it: that is newer.
    stoppedByPerson: entry.stoppedByPerson || (stoppedByPerson && !isTransitioning(entry.phase)),
    ...(autoStarted ? { autoStarted } : {}),
    ...(entry.trust === undefined && trust ? { trust } : {}),
    imageFindings: entry.imageFindings.length > 0 ? entry.imageFindings : imageFindings,
  };
}

/** An entry that is more than seen knows it all itself; one that is only seen can go again at any time. */
export function withoutKnown(state: State, entry: Entry): State {
  if (entry.level === 'seen' || !state.remembered.has(entry.id)) return state;
  const remembered = new Map(state.remembered);
  remembered.delete(entry.id);
  return { ...state, remembered };
}

/** The state with this entry, which knows again what is remembered of it. */
export function withRecalled(state: State, entry: Entry): State {
  const known = recalled(state, entry);
  return withoutKnown(withEntry(state, known), known);
}

/** From the last run. */
export function reduceRemembered(
  state: State,
  event: Extract<Event, { type: 'remembered' }>,
): readonly [State, readonly Effect[]] {
  const next = event.entries
    .filter(({ id }) => !state.entries.has(id))
    .reduce((before: State, entry) => remember(before, entry), state);
  return [next, []];
}
