import { expect, it } from 'vitest';
import type { PersistedState } from '../ports.ts';
import { createMemoryStorage } from './memory-storage.ts';

const state: PersistedState = { version: 1, entries: [], operations: [] };

it('holds nothing in the beginning, and then what was saved last', async () => {
  const storage = createMemoryStorage();
  expect(await storage.load()).toBeUndefined();
  await storage.save(state);
  expect(await storage.load()).toEqual(state);
  expect(await createMemoryStorage(state).load()).toEqual(state);
});

it('is not changed by whoever changes what was saved or loaded', async () => {
  const storage = createMemoryStorage();
  const entries: PersistedState['entries'][number][] = [];
  await storage.save({ ...state, entries });
  entries.push({ id: 'x', workspaceFolder: '/src', configPath: '/src/a', adopted: true, made: [] });
  expect((await storage.load())?.entries).toEqual([]);
});
