import { sleep } from '../async/abort.ts';
import type { Clock } from '../clock/clock.ts';

/** Work goes on for this long before everybody else gets a turn. ms */
const SLICE = 10;

/** How a long scan shares the thread and the time that it has. */
export interface ScanPace {
  /** To be called between small pieces of work. False when the time is up; rejects when the signal aborts. */
  goOn(): Promise<boolean>;
}

export function createScanPace(clock: Clock, limitMs: number, signal: AbortSignal): ScanPace {
  const began = clock.now();
  let rested = began;
  return {
    async goOn() {
      signal.throwIfAborted();
      if (clock.now() - rested >= SLICE) {
        await sleep(clock, 0, signal, 'discovery-slice');
        rested = clock.now();
      }
      return clock.now() - began < limitMs;
    },
  };
}
