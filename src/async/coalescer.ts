// INVARIANTS
// - At most one run at a time.
// - A request gets a run that begins after the request. While one runs, all further requests share one trailing run.
// - A failed run rejects exactly its own requests and does not stop the trailing one.
import { createDeferred, type Deferred } from './deferred.ts';

export interface Coalescer {
  /** Resolves or rejects with a run that begins after this call. */
  request(): Promise<void>;
  /** Refuses further requests with `reason`, also the trailing run that has not begun; resolves when the running one has ended. */
  close(reason: unknown): Promise<void>;
}

export function createCoalescer(run: () => Promise<void>): Coalescer {
  let running: Deferred<void> | undefined;
  let trailing: Deferred<void> | undefined;
  let closed: { reason: unknown } | undefined;

  async function loop(first: Deferred<void>): Promise<void> {
    for (let current: Deferred<void> | undefined = first; current; current = trailing) {
      trailing = undefined;
      running = current;
      try {
        await run();
        current.resolve();
      } catch (error) {
        current.reject(error);
      }
      if (closed) break;
    }
    running = undefined;
  }

  return {
    request() {
      if (closed) return Promise.reject(closed.reason as Error);
      if (running) {
        trailing ??= createDeferred<void>();
        return trailing.promise;
      }
      const first = createDeferred<void>();
      void loop(first);
      return first.promise;
    },

    async close(reason) {
      closed ??= { reason };
      trailing?.reject(closed.reason);
      trailing = undefined;
      await running?.promise.catch(() => {});
    },
  };
}
