import { expect, it, vi } from 'vitest';
import { createFakeWatcher } from './fake-watcher.ts';

it('tells whoever watches a directory, by reference count', () => {
  const watcher = createFakeWatcher();
  const seen = vi.fn<() => void>();
  const first = watcher.watch('/src/app/', seen);
  const second = watcher.watch('/src/app', seen);
  expect(watcher.change('/src/app')).toBe(2);
  expect(seen).toHaveBeenCalledTimes(2);
  first.close();
  first.close();
  expect(watcher.watching('/src/app')).toBe(1);
  expect(watcher.leaks()).toEqual(['/src/app is watched']);
  second.close();
  expect(watcher.change('/src/app')).toBe(0);
  expect(watcher.directories).toEqual([]);
  expect(watcher.leaks()).toEqual([]);
});

it('keeps a new watch when an old one of the same directory is closed again', () => {
  const watcher = createFakeWatcher();
  const old = watcher.watch('/a', () => {});
  old.close();
  watcher.watch('/a', () => {});
  old.close();
  expect(watcher.watching('/a')).toBe(1);
});

it('closes everything at once', async () => {
  const watcher = createFakeWatcher();
  watcher.watch('/a', () => {});
  await watcher.close();
  expect(watcher.leaks()).toEqual([]);
});
