import type { Clock } from '../../../src/clock/clock.ts';
import { systemClock } from '../../../src/clock/system-clock.ts';

/** The clock as it is, with the timers that wait on it, each with its tag. */
export function countingClock(): { readonly clock: Clock; readonly pending: ReadonlyMap<symbol, string> } {
  const pending = new Map<symbol, string>();
  const count = (timer: { stop(): boolean }, key: symbol) => ({
    stop: () => {
      pending.delete(key);
      return timer.stop();
    },
  });
  const clock: Clock = {
    now: () => systemClock.now(),
    afterFunc(ms, fn, tag = '') {
      const key = Symbol(tag);
      pending.set(key, tag);
      const fire = (): void | Promise<void> => {
        pending.delete(key);
        return fn();
      };
      return count(systemClock.afterFunc(ms, fire, tag), key);
    },
    tickerFunc(ms, fn, tag = '') {
      const key = Symbol(tag);
      pending.set(key, tag);
      return count(systemClock.tickerFunc(ms, fn, tag), key);
    },
  };
  return { clock, pending };
}
