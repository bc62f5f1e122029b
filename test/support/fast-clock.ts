import type { Clock } from '../../src/clock/clock.ts';
import { systemClock } from '../../src/clock/system-clock.ts';

export const FACTOR = 20;

/** Twenty times as fast as time, so that five seconds of grace pass in a quarter. */
export const fastClock: Clock = {
  now: () => systemClock.now() * FACTOR,
  afterFunc: (ms, fn, tag) => systemClock.afterFunc(ms / FACTOR, fn, tag),
  tickerFunc: (ms, fn, tag) => systemClock.tickerFunc(ms / FACTOR, fn, tag),
};
