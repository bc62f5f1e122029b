// INVARIANTS
// - Every background promise has one owner, and the owner can wait for all of them.
// - A rejection is reported to `onError`, never swallowed and never unhandled.

export interface TaskGroup {
  /** Starts `task` in the background. */
  spawn(name: string, task: () => Promise<void>): void;
  /** Names of what runs now. */
  running(): string[];
  /** Resolves when what runs now has ended, whatever is spawned later. */
  settled(): Promise<void>;
  /** Resolves when nothing runs any more, also what was spawned while waiting. */
  drain(): Promise<void>;
}

export function createTaskGroup(onError: (error: unknown, name: string) => void): TaskGroup {
  const tasks = new Map<Promise<void>, string>();
  return {
    spawn(name, task) {
      const promise: Promise<void> = Promise.resolve()
        .then(task)
        .catch((error: unknown) => onError(error, name))
        .finally(() => tasks.delete(promise));
      tasks.set(promise, name);
    },
    running: () => [...tasks.values()],
    async settled() {
      await Promise.all([...tasks.keys()]);
    },
    async drain() {
      while (tasks.size > 0) await Promise.all(tasks.keys());
    },
  };
}
