import type { PersistedState, StateStorage } from '../ports.ts';

/** State that lasts as long as this object: hand it to the next instance to play a restart. */
export function createMemoryStorage(initial?: PersistedState): StateStorage {
  let saved = structuredClone(initial);
  const contents = new Map<string, Readonly<Record<string, string>>>();
  return {
    load: async () => structuredClone(saved),
    async save(state) {
      saved = structuredClone(state);
    },
    async saveContents(fingerprint, values) {
      if (!contents.has(fingerprint)) contents.set(fingerprint, { ...values });
    },
    async loadContents(fingerprint) {
      const values = contents.get(fingerprint);
      return values && { ...values };
    },
    async keepContents(fingerprints) {
      for (const fingerprint of contents.keys()) if (!fingerprints.has(fingerprint)) contents.delete(fingerprint);
    },
  };
}
