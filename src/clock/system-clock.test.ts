import { createClock } from '@sinonjs/fake-timers';
import { expect, it } from 'vitest';
import { createSystemClock } from './system-clock.ts';

const MONTH = 31 * 24 * 3_600_000;
/** The longest wait that Node.js knows; a longer one ends after 1 ms. */
const LONGEST = 2 ** 31 - 1;

/** Timers as those of Node.js. */
function nodeTimers() {
  const timers = createClock();
  const known = (ms: number): number => (ms > LONGEST ? 1 : ms);
  return {
    timers,
    clock: createSystemClock({
      Date: timers.Date,
      setTimeout: (fn, ms) => timers.setTimeout(fn, known(ms)),
      clearTimeout: (id) => timers.clearTimeout(id),
      setInterval: (fn, ms) => timers.setInterval(fn, known(ms)),
      clearInterval: (id) => timers.clearInterval(id),
    }),
  };
}

it.each([0, 1_000, LONGEST, LONGEST + 1, 2 * LONGEST, 2 * LONGEST + 1])(
  'calls once after %d ms and not before',
  (ms) => {
    const { timers, clock } = nodeTimers();
    const calls: number[] = [];
    const timer = clock.afterFunc(ms, () => void calls.push(clock.now()));
    if (ms > 0) timers.tick(ms - 1);
    expect(calls).toEqual([]);
    timers.tick(1);
    timers.tick(ms);
    expect(calls).toEqual([ms]);
    expect(timer.stop()).toBe(false);
    expect(timers.countTimers()).toBe(0);
  },
);

it('ticks every month, one tick at a time, until it is stopped', async () => {
  const { timers, clock } = nodeTimers();
  const calls: number[] = [];
  const ticker = clock.tickerFunc(MONTH, () => void calls.push(clock.now()));
  await timers.tickAsync(3 * MONTH);
  expect(calls).toEqual([MONTH, 2 * MONTH, 3 * MONTH]);
  expect(ticker.stop()).toBe(true);
  expect(ticker.stop()).toBe(false);
  expect(timers.countTimers()).toBe(0);
});

it.each([1_000, MONTH])(
  'leaves nothing behind when a wait of %d ms is stopped, at its beginning or in the middle',
  (ms) => {
    const { timers, clock } = nodeTimers();
    const first = clock.afterFunc(ms, () => expect.unreachable());
    expect(first.stop()).toBe(true);
    expect(first.stop()).toBe(false);
    const second = clock.afterFunc(ms, () => expect.unreachable());
    timers.tick(ms - 1);
    expect(second.stop()).toBe(true);
    timers.tick(2 * ms);
    expect(timers.countTimers()).toBe(0);
  },
);

it('waits for ever for what never comes', () => {
  const { timers, clock } = nodeTimers();
  const timer = clock.afterFunc(Number.POSITIVE_INFINITY, () => expect.unreachable());
  timers.tick(5 * LONGEST);
  expect(timer.stop()).toBe(true);
});
