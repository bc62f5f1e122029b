import { bounded } from '../../async/abort.ts';
import { createDeferred } from '../../async/deferred.ts';
import type { Runtime } from './runtime.ts';

/**
 * What `look` finds, now or after one of the commits to come; `undefined` means that it is soon. Waits at most as long as
 * an injection may take. Rejects with what `look` throws, with `timeout`, and with the signal's reason.
 *
 * @param what opens the message: `Waiting for the resident`
 */
export async function untilState<T>(
  rt: Pick<Runtime, 'store' | 'limits' | 'ports'>,
  what: string,
  signal: AbortSignal | undefined,
  look: () => T | undefined,
): Promise<T> {
  const there = look();
  if (there !== undefined) return there;
  const found = createDeferred<T>();
  const unlisten = rt.store.onCommit(() => {
    try {
      const now = look();
      if (now !== undefined) found.resolve(now);
    } catch (error) {
      found.reject(error);
    }
  });
  try {
    return await bounded(rt.ports.clock, rt.limits.injectTimeoutMs, what, signal, () => found.promise);
  } finally {
    unlisten();
  }
}
