import { describe, expect, it } from 'vitest';
import type { Clock } from '../../clock/clock.ts';
import { createEventPace } from './event-pace.ts';

/** Time that goes on only while events are taken. */
function setUp(): {
  readonly clock: Clock;
  readonly body: { isPaused: boolean; pause(): void; resume(): void };
  work(ms: number): () => void;
  wait(): number | undefined;
} {
  let now = 1_000;
  let due: { readonly ms: number; readonly fn: () => unknown } | undefined;
  const body = {
    isPaused: false,
    pause: () => void (body.isPaused = true),
    resume: () => void (body.isPaused = false),
  };
  const clock: Clock = {
    now: () => now,
    afterFunc(ms, fn) {
      due = { ms, fn };
      return {
        stop() {
          due = undefined;
          return true;
        },
      };
    },
    tickerFunc: () => {
      throw new Error('no ticker is needed');
    },
  };
  return {
    clock,
    body,
    work: (ms) => () => void (now += ms),
    wait() {
      const timer = due;
      due = undefined;
      if (!timer) return undefined;
      now += timer.ms;
      timer.fn();
      return timer.ms;
    },
  };
}

describe('the pace of events', () => {
  it.each([
    ['30 ms each', 30],
    ['600 ms each', 600],
    ['5 s each', 5_000],
  ])('leaves most of the time to everything else when they take %s', (_, ms) => {
    const { clock, body, work, wait } = setUp();
    const pace = createEventPace(clock, body);
    const began = clock.now();
    let busy = 0;
    for (let event = 0; event < 200; event++) {
      pace.run(100, work(ms));
      busy += ms;
      for (let turn = 0; turn < 1_000 && body.isPaused; turn++) wait();
      expect(body.isPaused).toBe(false);
    }
    // One that the clock jumped in counts as one second.
    const counted = Math.min(ms, 1_000) * (busy / ms);
    expect(clock.now() - began - busy).toBeGreaterThan(counted * 3);
  });

  it('counts those that come while it holds them back', () => {
    const { clock, body, work, wait } = setUp();
    const pace = createEventPace(clock, body);
    for (let event = 0; event < 20; event++) pace.run(100, work(100));
    expect(pace.isHolding).toBe(true);
    let seconds = 0;
    while (body.isPaused && seconds < 100) {
      wait();
      seconds++;
    }
    expect(seconds).toBeGreaterThanOrEqual(8);
    expect(pace.isHolding).toBe(false);
  });

  it('does not hold back those that take little', () => {
    const { clock, body, work } = setUp();
    const pace = createEventPace(clock, body);
    for (let event = 0; event < 1_000; event++) {
      pace.run(100, work(1));
      work(9)();
      expect(body.isPaused).toBe(false);
    }
  });

  it('counts one that fails, and leaves no timer when it is stopped', () => {
    const { clock, body, work, wait } = setUp();
    const pace = createEventPace(clock, body);
    expect(() =>
      pace.run(100, () => {
        work(500)();
        throw new Error('it is none');
      }),
    ).toThrow('it is none');
    expect(body.isPaused).toBe(true);
    pace.stop();
    expect(wait()).toBeUndefined();
  });
});
