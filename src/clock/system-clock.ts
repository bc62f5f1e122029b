import type { Clock, Timer } from './clock.ts';

/** What times are measured and waited with; the browser-like part of Node.js that a test can stand in for. */
export interface Timers {
  readonly Date: { now(): number };
  setTimeout(fn: () => void, ms: number): unknown;
  clearTimeout(id: never): void;
  setInterval(fn: () => void, ms: number): unknown;
  clearInterval(id: never): void;
}

/** Node.js takes a longer wait for one of 1 ms. */
const MAX_WAIT_MS = 2 ** 31 - 1;

export function createSystemClock(timers: Timers): Clock {
  /** Calls `fn` once after `ms`, however long that is, and returns what prevents it. */
  function wait(ms: number, fn: () => void): () => void {
    let left = ms;
    let id: unknown;
    const next = (): void => {
      const part = Math.min(left, MAX_WAIT_MS);
      left -= part;
      id = timers.setTimeout(left > 0 ? next : fn, part);
    };
    next();
    return () => timers.clearTimeout(id as never);
  }

  /** The same every `ms`. */
  function repeat(ms: number, fn: () => void): () => void {
    if (!(ms > MAX_WAIT_MS)) {
      const id = timers.setInterval(fn, ms);
      return () => timers.clearInterval(id as never);
    }
    let cancel: () => void;
    const arm = (): void => {
      cancel = wait(ms, () => {
        arm();
        fn();
      });
    };
    arm();
    return () => cancel();
  }

  return {
    now: () => timers.Date.now(),

    afterFunc(ms, fn): Timer {
      let pending = true;
      const cancel = wait(ms, () => {
        pending = false;
        void fn();
      });
      return {
        stop() {
          cancel();
          const prevented = pending;
          pending = false;
          return prevented;
        },
      };
    },

    tickerFunc(ms, fn): Timer {
      let running = false;
      let active = true;
      const cancel = repeat(ms, () => {
        if (running) return;
        running = true;
        void Promise.resolve(fn()).finally(() => {
          running = false;
        });
      });
      return {
        stop() {
          cancel();
          const prevented = active;
          active = false;
          return prevented;
        },
      };
    },
  };
}

/** The wall clock. Its timers keep the process alive until stopped. */
export const systemClock: Clock = createSystemClock(globalThis);
