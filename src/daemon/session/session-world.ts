import { setTimeout as delay } from 'node:timers/promises';
import type { SessionWorld } from './run-session.ts';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Of this process. */
export function processWorld(): SessionWorld {
  return {
    stdio: process,
    onSignals(listener) {
      for (const signal of SIGNALS) process.on(signal, listener as NodeJS.SignalsListener);
      return () => {
        for (const signal of SIGNALS) process.removeListener(signal, listener as NodeJS.SignalsListener);
      };
    },
    now: () => performance.now(),
    delay: (ms) => delay(ms),
    after(ms, callback) {
      const timer = setTimeout(callback, ms);
      return () => clearTimeout(timer);
    },
  };
}
