import { posix } from 'node:path';
import type { Watcher } from '../agentcontainers/ports.ts';
import type { LeakSource } from './leak-guard.ts';

export interface FakeWatcher extends Watcher, LeakSource {
  /** Tells everybody who watches this directory, and returns how many did. */
  change(directory: string): number;
  /** How many watch this directory now. */
  watching(directory: string): number;
  /** Directories that are watched now, sorted. */
  readonly directories: readonly string[];
}

/** A watcher that sees what a test tells it. */
export function createFakeWatcher(): FakeWatcher {
  const watches = new Map<string, Set<() => void>>();

  return {
    watch(directory, onChange) {
      const path = posix.resolve('/', directory);
      // One function may watch twice, hence a fresh identity for each watch.
      const listener = () => onChange();
      const listeners = watches.get(path) ?? new Set();
      watches.set(path, listeners.add(listener));
      return {
        close() {
          listeners.delete(listener);
          if (listeners.size === 0 && watches.get(path) === listeners) watches.delete(path);
        },
      };
    },
    async close() {
      watches.clear();
    },
    change(directory) {
      const listeners = [...(watches.get(posix.resolve('/', directory)) ?? [])];
      for (const listener of listeners) listener();
      return listeners.length;
    },
    watching: (directory) => watches.get(posix.resolve('/', directory))?.size ?? 0,
    get directories() {
      return [...watches.keys()].sort();
    },
    leaks: () => [...watches.keys()].sort().map((directory) => `${directory} is watched`),
  };
}
