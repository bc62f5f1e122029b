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

it('keeps contents by fingerprint until they are not asked for any more', async () => {
  const storage = createMemoryStorage();
  const contents = { Dockerfile: 'FROM x' };
  await storage.saveContents('a', contents);
  await storage.saveContents('b', { Dockerfile: 'FROM y' });
  contents.Dockerfile = 'changed';
  expect(await storage.loadContents('a')).toEqual({ Dockerfile: 'FROM x' });
  await storage.keepContents(new Set(['b', 'c']));
  expect(await storage.loadContents('a')).toBeUndefined();
  expect(await storage.loadContents('b')).toEqual({ Dockerfile: 'FROM y' });
});
