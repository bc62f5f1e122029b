import type { PersistedState, StateStorage } from '../ports.ts';

/** State that lasts as long as this object: hand it to the next instance to play a restart. */
export function createMemoryStorage(initial?: PersistedState): StateStorage {
  let saved = structuredClone(initial);
  return {
    load: async () => structuredClone(saved),
    async save(state) {
      saved = structuredClone(state);
    },
  };
}
