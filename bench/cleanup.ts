/** What has to be undone, newest first, also after Ctrl-C. Each undoing runs once and even when another fails. */
export interface Cleanup {
  add(what: string, undo: () => Promise<unknown>): () => Promise<void>;
  run(): Promise<void>;
}

export function createCleanup(say: (text: string) => void): Cleanup {
  const stack: (() => Promise<void>)[] = [];
  return {
    add(what, undo) {
      let done: Promise<void> | undefined;
      const once = (): Promise<void> =>
        (done ??= undo().then(
          () => {},
          (error: unknown) =>
            say(`Cleaning up ${what} failed: ${error instanceof Error ? error.message : String(error)}`),
        ));
      stack.push(once);
      return once;
    },
    async run() {
      for (let undo = stack.pop(); undo; undo = stack.pop()) await undo();
    },
  };
}
