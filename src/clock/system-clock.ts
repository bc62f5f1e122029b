import type { Clock, Timer } from './clock.ts';

/** The wall clock. Its timers keep the process alive until stopped. */
export const systemClock: Clock = {
  now: () => Date.now(),

  afterFunc(ms, fn): Timer {
    let pending = true;
    const id = setTimeout(() => {
      pending = false;
      void fn();
    }, ms);
    return {
      stop() {
        clearTimeout(id);
        const prevented = pending;
        pending = false;
        return prevented;
      },
    };
  },

  tickerFunc(ms, fn): Timer {
    let running = false;
    let active = true;
    const id = setInterval(() => {
      if (running) return;
      running = true;
      void Promise.resolve(fn()).finally(() => {
        running = false;
      });
    }, ms);
    return {
      stop() {
        clearInterval(id);
        const prevented = active;
        active = false;
        return prevented;
      },
    };
  },
};
