import type { Entry } from './state.ts';

/** An entry of which nothing more is known than these fields: stopped, without a container, used by nobody. */
export function newEntry(
  fields: Pick<Entry, 'id' | 'key' | 'origin' | 'level' | 'name' | 'nameSource'> & Partial<Entry>,
): Entry {
  return {
    revision: 0,
    phase: { status: 'stopped' },
    candidates: [],
    agent: { kind: 'none' },
    ignored: false,
    made: [],
    imageFindings: [],
    holders: [],
    forwards: [],
    abandoned: [],
    autoStart: false,
    stoppedByPerson: false,
    ...fields,
  };
}
