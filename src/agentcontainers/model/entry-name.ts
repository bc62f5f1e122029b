import { chooseName } from './names.ts';
import type { Entry, State } from './state.ts';

/** Names that other entries hold. What is only seen holds none: a foreign container never changes what ours is called. */
export function takenNames(state: State, exceptId: string): Set<string> {
  const taken = new Set<string>();
  for (const entry of state.entries.values())
    if (entry.id !== exceptId && entry.level !== 'seen') taken.add(entry.name);
  return taken;
}

/** Adopted only now: its name must be free among the others from here on. One that the user chose is never altered. */
export function withFreeName(state: State, entry: Entry): Entry {
  if (entry.nameSource === 'chosen') return entry;
  const taken = takenNames(state, entry.id);
  return taken.has(entry.name) ? { ...entry, name: chooseName(entry.key.workspaceFolder, taken) } : entry;
}
