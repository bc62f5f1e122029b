import { endAgent, recordDeletion } from './decide-agent.ts';
import type { EntryKey } from './devcontainer.ts';
import type { Effect } from './effects.ts';
import { takenNames, withFreeName } from './entry-name.ts';
import type { Event } from './events.ts';
import { chooseName } from './names.ts';
import { newEntry } from './new-entry.ts';
import { remember, withRecalled } from './remembered.ts';
import { isTransitioning, withEntry, type Entry, type State } from './state.ts';

type Result = readonly [State, readonly Effect[]];

const PERSIST: Effect = { type: 'persist' };

/**
 * Brings the entries below one root in line with what was found there. What the embedder gave, and what lies elsewhere,
 * is left alone. What a person asked for is known by its file from then on, so that deleting it leaves it `stopped`.
 * The same finding twice gives the same state.
 */
export function reduceDiscovered(state: State, event: Extract<Event, { type: 'discovered' }>): Result {
  if (state.lifecycle !== 'open') return [state, []];
  const effects: Effect[] = [];
  let next = state;
  const found = new Set<string>();
  for (const { id, key } of event.found) {
    found.add(id);
    const [after, made] = withFound(next, id, key);
    next = after;
    effects.push(...made);
  }
  for (const entry of state.entries.values()) {
    if (entry.origin !== 'discovered' || found.has(entry.id)) continue;
    if (!isInside(entry.key.workspaceFolder, event.root)) continue;
    const [after, made] = withoutFound(next, entry);
    next = after;
    effects.push(...made);
  }
  return next === state ? [state, []] : [next, [...effects, PERSIST]];
}

function withFound(state: State, id: string, key: EntryKey): Result {
  const adopts = state.settings.adopt !== 'none';
  const before = state.entries.get(id);
  if (!before) {
    const entry = newEntry({
      id,
      key,
      origin: 'discovered',
      level: adopts ? 'adopted' : 'seen',
      name: chooseName(key.workspaceFolder, takenNames(state, id)),
      nameSource: 'folder',
      // The entry may have been removed a moment ago: a listing that began before that is stale for the new one too.
      revision: state.tombstones.get(id) ?? 0,
    });
    return [withRecalled(state, entry), adopts ? [{ type: 'watchConfig', id, key }] : []];
  }
  if (before.origin === 'manifest') return [state, []];
  if (!adopts || before.level !== 'seen') {
    return [before.origin === 'discovered' ? state : withEntry(state, { ...before, origin: 'discovered' }), []];
  }
  // A container of an entry that was only seen below a root has proven nothing: it must not stand for what is acted on.
  const adopted: Entry = {
    ...before,
    origin: 'discovered',
    level: 'adopted',
    phase: { status: 'stopped' },
    link: undefined,
    candidates: [],
  };
  return [
    withRecalled(state, withFreeName(state, adopted)),
    [
      { type: 'watchConfig', id, key: before.key },
      { type: 'refresh', reason: 'discovered' },
    ],
  ];
}

function withoutFound(state: State, entry: Entry): Result {
  // A job owns it, or will bring to an end what a killed daemon left; the next finding decides.
  if (isTransitioning(entry.phase) || entry.intent) return [state, []];
  if (entry.link) return [withEntry(state, { ...entry, origin: 'seen' }), []];
  // Without a listing nobody knows whether it has a container.
  if (state.observation.status !== 'ok') return [state, []];
  const [ended, agentEffects] = endAgent(entry, 'none');
  const entries = new Map(state.entries);
  entries.delete(entry.id);
  const { id } = entry;
  const next = remember({ ...state, entries }, entry);
  return [next, [...agentEffects, { type: 'unwatchConfig', id }, ...recordDeletion(ended)]];
}

/** Of two real paths: is the first one the second, or below it? */
function isInside(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder.endsWith('/') ? folder : `${folder}/`);
}
