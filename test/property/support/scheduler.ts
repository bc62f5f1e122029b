import type { Clock, Timer } from '../../../src/clock/clock.ts';

/** A small deterministic generator (mulberry32): a seed names a whole run. */
export function createRandom(seed: number): {
  next(): number;
  pick<T>(from: readonly T[]): T;
  chance(p: number): boolean;
} {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
  return {
    next,
    pick: (from) => from[Math.floor(next() * from.length)] as never,
    chance: (p) => next() < p,
  };
}

/** Holds every outside call until it is released, so that calls end in any order. */
export interface Scheduler {
  step(label: string): Promise<void>;
  readonly waiting: number;
  readonly labels: readonly string[];
  release(index: number): void;
}

export function createScheduler(): Scheduler {
  const steps: { label: string; release: () => void }[] = [];
  return {
    step: (label) => new Promise((resolve) => steps.push({ label, release: resolve })),
    get waiting() {
      return steps.length;
    },
    get labels() {
      return steps.map((one) => one.label);
    },
    release(index) {
      steps.splice(index, 1)[0]?.release();
    },
  };
}

/** A clock whose timers fire one at a time when told to, without waiting for what they start. */
export interface ManualClock extends Clock {
  readonly pending: number;
  readonly tags: readonly string[];
  /** Milliseconds until the next timer, if there is one. */
  readonly untilNext: number | undefined;
  readonly nextTag: string | undefined;
  fireNext(): void;
}

export function createManualClock(): ManualClock {
  let now = 1_700_000_000_000;
  let order = 0;
  const timers = new Set<{ at: number; order: number; fire: () => void; tag: string }>();

  function schedule(ms: number, fire: () => void, tag: string): Timer {
    const timer = { at: now + ms, order: order++, fire, tag };
    timers.add(timer);
    return { stop: () => timers.delete(timer) };
  }

  function next(): { at: number; fire: () => void; tag: string } | undefined {
    return [...timers].sort((a, b) => a.at - b.at || a.order - b.order)[0];
  }

  return {
    now: () => now,
    afterFunc: (ms, fn, tag = '') => schedule(ms, () => void fn(), tag),
    tickerFunc(ms, fn, tag = '') {
      let stopped = false;
      let inner: Timer;
      const arm = (): void => {
        inner = schedule(
          ms,
          () => {
            void Promise.resolve(fn()).finally(() => {
              if (!stopped) arm();
            });
          },
          tag,
        );
      };
      arm();
      return {
        stop() {
          stopped = true;
          return inner.stop();
        },
      };
    },
    get pending() {
      return timers.size;
    },
    get tags() {
      return [...timers].map((timer) => timer.tag);
    },
    get untilNext() {
      const timer = next();
      return timer && timer.at - now;
    },
    get nextTag() {
      return next()?.tag;
    },
    fireNext() {
      const timer = next();
      if (!timer) return;
      now = Math.max(now, timer.at);
      timers.delete(timer as never);
      timer.fire();
    },
  };
}
