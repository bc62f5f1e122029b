/** Items on their way to one consumer. What was pushed before the end is delivered before the end is. */
export interface Queue<T> extends AsyncIterable<T> {
  push(item: T): void;
  /** The iteration ends once it is empty. Later pushes are ignored. */
  end(): void;
  /** The iteration throws once it is empty. Later pushes are ignored. */
  fail(error: unknown): void;
}

export function createQueue<T>(): Queue<T> {
  const items: T[] = [];
  let ending: { readonly error?: unknown; readonly failed: boolean } | undefined;
  let wake: (() => void) | undefined;

  function notify(): void {
    wake?.();
    wake = undefined;
  }

  function finish(next: { readonly error?: unknown; readonly failed: boolean }): void {
    ending ??= next;
    notify();
  }

  return {
    push(item) {
      if (ending) return;
      items.push(item);
      notify();
    },
    end: () => finish({ failed: false }),
    fail: (error) => finish({ failed: true, error }),
    async *[Symbol.asyncIterator]() {
      for (;;) {
        while (items.length > 0) yield items.shift() as T;
        if (ending?.failed) throw ending.error;
        if (ending) return;
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
  };
}
