import { createClock } from '@sinonjs/fake-timers';
import type { Clock, Instant, Timer } from '../clock/clock.ts';
import { createBatch, settle } from './batch.ts';
import type { Batch } from './batch.ts';
import type { LeakSource } from './leak-guard.ts';

/** Where a fake clock starts unless told otherwise: 2025-01-01T00:00:00Z. */
export const FAKE_CLOCK_START: Instant = 1_735_689_600_000;

/** How many callbacks may fire within one `advance` or one `run` before it counts as an endless loop. */
const MAX_FIRINGS = 10_000;
/** The longest delay that Node's own timers can wait; a longer one would fire at once. */
const MAX_DELAY_MS = 2 ** 31 - 1;

export interface PendingTimer {
  readonly tag: string;
  readonly at: Instant;
}

export interface FakeClock extends Clock, LeakSource {
  /**
   * Lets take effect what the test did before; then moves time by `ms`, at most to the next timer, and fires what is
   * due then. Resolves when every promise that the
   * callbacks returned has settled, as has whatever they scheduled for that same instant; then lets continuations run.
   * So after awaiting it, everything that follows from this step has happened.
   *
   * Rejects when a timer is due earlier (it names them all: step over each one, or use `run`), when a callback
   * rejects, and when nothing moves for `patienceMs` of real time since a callback waits for something that only
   * the test can do. In that case keep the promise, do that something, then await the promise.
   */
  advance(ms: number): Promise<void>;
  /** Advances to the next timer and says by how many milliseconds. Rejects when there is none. */
  advanceToNext(): Promise<number>;
  /** Milliseconds until the next timer, 0 when it is due now. */
  next(): number | undefined;
  /** Everything that is scheduled, in the order in which it will fire. */
  pending(): PendingTimer[];
  /**
   * Moves time by `ms`, stopping at each timer on the way. A callback that is still pending once continuations have
   * run does not hold it up: time goes on, so that deadlines can pass.
   */
  run(ms: number): Promise<void>;
  /** Lets settled continuations run without moving time. */
  settle(): Promise<void>;
}

interface Entry {
  readonly tag: string;
  at: Instant;
}

/**
 * Time for tests. Nothing global is patched; timers of other code go on as they are.
 *
 * @param options.start first instant; default {@link FAKE_CLOCK_START}
 * @param options.patienceMs real milliseconds without any progress after which an `advance` gives up; default 4,000
 */
export function createFakeClock(options: { start?: Instant; patienceMs?: number } = {}): FakeClock {
  const timers = createClock(options.start ?? FAKE_CLOCK_START);
  const patienceMs = options.patienceMs ?? 4_000;
  // In order of arming, which decides between timers of one instant.
  const entries = new Set<Entry>();
  const batches = new Set<Batch>();
  // A timer of the underlying clock only notes what to call; it is called from `fireDue`, outside of that clock's own
  // tick, where a delay of 0 means "this instant".
  let fired: (() => void | Promise<void>) | undefined;

  function arm(entry: Entry): void {
    entries.add(entry);
    for (const batch of batches) batch.wake();
  }

  function earliest(): Entry | undefined {
    let first: Entry | undefined;
    for (const entry of entries) if (!first || entry.at < first.at) first = entry;
    return first;
  }

  function dueBy(at: Instant): Entry | undefined {
    const first = earliest();
    return first && first.at <= at ? first : undefined;
  }

  async function fireDue(batch: Batch, at: Instant): Promise<void> {
    for (let entry = dueBy(at); entry; entry = dueBy(at)) {
      if (batch.started >= MAX_FIRINGS) {
        throw new Error(`More than ${MAX_FIRINGS} callbacks fired without an end, the next is ${describe([entry])}.`);
      }
      timers.next();
      const call = fired;
      fired = undefined;
      if (call) batch.start(entry.tag, call);
      await settle(1);
    }
  }

  async function moveTo(target: Instant): Promise<void> {
    if (!dueBy(target) && target > timers.now) timers.tick(target - timers.now);
    const batch = createBatch(patienceMs);
    batches.add(batch);
    try {
      await fireDue(batch, target);
      for (;;) {
        await settle();
        if (dueBy(timers.now)) await fireDue(batch, timers.now);
        else if (batch.pending.length === 0) break;
        else await batch.changed();
      }
      batch.throwFailures();
    } finally {
      batch.release();
      batches.delete(batch);
    }
  }

  function describe(list: readonly Entry[]): string {
    const shown = list.slice(0, 10).map((entry) => `"${entry.tag}" in ${entry.at - timers.now} ms`);
    return [...shown, ...(list.length > 10 ? [`${list.length - 10} more`] : [])].join(', ');
  }

  const inOrder = () => [...entries].sort((a, b) => a.at - b.at);

  return {
    now: () => timers.now,

    afterFunc(ms, fn, tag = 'untagged'): Timer {
      const delay = wholeMs(ms, 'afterFunc');
      const entry: Entry = { tag, at: timers.now + delay };
      const id = timers.setTimeout(() => {
        entries.delete(entry);
        fired = fn;
      }, delay);
      arm(entry);
      return {
        stop() {
          timers.clearTimeout(id);
          return entries.delete(entry);
        },
      };
    },

    tickerFunc(ms, fn, tag = 'untagged'): Timer {
      const period = Math.max(1, wholeMs(ms, 'tickerFunc'));
      const entry: Entry = { tag, at: timers.now + period };
      let running = false;
      const id = timers.setInterval(() => {
        entries.delete(entry);
        entry.at += period;
        entries.add(entry);
        if (running) return;
        fired = async () => {
          running = true;
          try {
            await fn();
          } finally {
            running = false;
          }
        };
      }, period);
      arm(entry);
      return {
        stop() {
          timers.clearInterval(id);
          return entries.delete(entry);
        },
      };
    },

    async advance(ms) {
      const step = wholeMs(ms, 'advance');
      await settle();
      const target = timers.now + step;
      const tooEarly = inOrder().filter((entry) => entry.at < target);
      if (tooEarly.length > 0) {
        throw new Error(
          `Advancing the clock by ${ms} ms failed: that is past ${describe(tooEarly)}. ` +
            'Advance to each of them (`advanceToNext()`), or let all fire (`run(ms)`).',
        );
      }
      await moveTo(target);
    },

    async advanceToNext() {
      await settle();
      const first = earliest();
      if (!first) throw new Error('Advancing the clock to its next timer failed: nothing is scheduled.');
      const ms = Math.max(0, first.at - timers.now);
      await moveTo(first.at);
      return ms;
    },

    next() {
      const first = earliest();
      return first && Math.max(0, first.at - timers.now);
    },

    pending: () => inOrder().map(({ tag, at }) => ({ tag, at })),

    async run(ms) {
      const step = wholeMs(ms, 'run');
      await settle();
      const target = timers.now + step;
      const batch = createBatch(patienceMs);
      try {
        for (;;) {
          const entry = dueBy(target);
          if (entry) await fireDue(batch, entry.at);
          else if (timers.now < target) timers.tick(target - timers.now);
          else break;
          await settle();
          batch.throwFailures();
        }
      } finally {
        batch.release();
      }
    },

    settle: () => settle(),

    leaks: () => inOrder().map((entry) => `timer "${entry.tag}" is still due in ${entry.at - timers.now} ms`),
  };
}

function wholeMs(ms: number, method: string): number {
  if (!(ms <= MAX_DELAY_MS)) {
    throw new RangeError(`${method}: ${ms} ms is not a delay that a timer can wait (at most ${MAX_DELAY_MS}).`);
  }
  return Math.max(0, Math.trunc(ms));
}
