// INVARIANTS
// - At most `limit` holders at a time; waiting callers are served in the order of asking.
// - A caller whose signal aborts while it waits leaves the queue and holds nothing.

export interface Limiter {
  /** Waits for room. The returned function gives it back; calling it again changes nothing. */
  acquire(signal: AbortSignal): Promise<() => void>;
  /** Runs `work` as soon as there is room. */
  run<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T>;
}

export function createLimiter(limit: number): Limiter {
  let free = limit;
  const waiting = new Set<() => void>();

  function take(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.reject(signal.reason as Error);
    if (free > 0) {
      free--;
      return Promise.resolve();
    }
    return new Promise((resolve, reject) => {
      const grant = (): void => {
        signal.removeEventListener('abort', leave);
        resolve();
      };
      const leave = (): void => {
        waiting.delete(grant);
        reject(signal.reason as Error);
      };
      signal.addEventListener('abort', leave, { once: true });
      waiting.add(grant);
    });
  }

  function releaseOne(): void {
    for (const grant of waiting) {
      waiting.delete(grant);
      grant();
      return;
    }
    free++;
  }

  async function acquire(signal: AbortSignal): Promise<() => void> {
    await take(signal);
    let held = true;
    return () => {
      if (held) releaseOne();
      held = false;
    };
  }

  return {
    acquire,
    async run(signal, work) {
      const release = await acquire(signal);
      try {
        return await work();
      } finally {
        release();
      }
    },
  };
}
