import { describe, expect, it } from 'vitest';
import { createDeferred, type Deferred } from '../../async/deferred.ts';
import { createFakeClock } from '../../testing/fake-clock.ts';
import { createUpdaterLoop } from './updater-loop.ts';

const LIMITS = { updateIntervalMs: 10_000, eventDebounceMs: 20 };

/** A loop whose passes end at once, or, when held, by the test. */
function createWorld() {
  const clock = createFakeClock();
  const passes: number[] = [];
  const running: Deferred<void>[] = [];
  let held = false;
  let failure: unknown;
  const start = clock.now();
  const loop = createUpdaterLoop(
    clock,
    {
      async observe() {
        passes.push(clock.now() - start);
        if (!held) return failure;
        const end = createDeferred<void>();
        running.push(end);
        await end.promise;
        return failure;
      },
    },
    LIMITS,
  );
  return {
    clock,
    loop,
    /** Milliseconds after the start at which each pass began. */
    passes,
    hold: () => void (held = true),
    fail: (error: unknown) => void (failure = error),
    endPass: () => running.shift()?.resolve(),
  };
}

describe('a pass', () => {
  it('begins after the call: what comes while one runs shares one trailing pass', async () => {
    const { clock, loop, passes, hold, endPass } = createWorld();
    hold();
    const ended: string[] = [];
    void loop.pass().then(() => ended.push('first'));
    void loop.pass().then(() => ended.push('second'));
    void loop.pass().then(() => ended.push('third'));
    await clock.settle();
    expect([passes.length, ended]).toEqual([1, []]);
    endPass();
    await clock.settle();
    expect([passes.length, ended]).toEqual([2, ['first']]);
    endPass();
    await clock.settle();
    expect([passes.length, ended]).toEqual([2, ['first', 'second', 'third']]);
  });
});

describe('the safety net', () => {
  it('makes a pass every 10 s, and waits for what follows from it', async () => {
    const { clock, loop, passes } = createWorld();
    let ticks = 0;
    loop.start(
      () => false,
      async () => void ticks++,
    );
    for (let round = 0; round < 3; round++) await clock.advance(10_000);
    expect(passes).toEqual([10_000, 20_000, 30_000]);
    expect(ticks).toBe(3);
  });

  it('is six times wider while events would tell of any change', async () => {
    const { clock, loop, passes } = createWorld();
    let quiet = true;
    await loop.pass();
    loop.start(
      () => quiet,
      async () => {},
    );
    await clock.run(130_000);
    expect(passes).toEqual([0, 60_000, 120_000]);
    quiet = false;
    await clock.run(20_000);
    expect(passes.slice(3)).toEqual([140_000, 150_000]);
  });

  it('makes a pass on every tick, whatever was asked for between', async () => {
    const { clock, loop, passes } = createWorld();
    loop.start(
      () => false,
      async () => {},
    );
    await clock.run(5_000);
    await loop.pass();
    await clock.run(15_000);
    expect(passes).toEqual([5_000, 10_000, 20_000]);
  });

  it('does not make a second pass while one lasts longer than its period', async () => {
    const { clock, loop, passes, hold, endPass } = createWorld();
    hold();
    loop.start(
      () => false,
      async () => {},
    );
    await clock.run(35_000);
    expect(passes).toEqual([10_000]);
    endPass();
    await clock.run(5_000);
    expect(passes).toEqual([10_000, 40_000]);
  });
});

describe('a pass soon', () => {
  it('is one for all requests within the debounce time', async () => {
    const { clock, loop, passes } = createWorld();
    loop.passSoon();
    await clock.run(10);
    loop.passSoon();
    await clock.run(9);
    loop.passSoon();
    expect(passes).toEqual([]);
    await clock.run(1);
    expect(passes).toEqual([20]);
    loop.passSoon();
    await clock.run(1_000);
    // The last is the confirmation, after a second of quiet.
    expect(passes).toEqual([20, 40, 1_020]);
  });

  it('is confirmed once, when nothing has happened for a second', async () => {
    const { clock, loop, passes } = createWorld();
    for (const _event of [1, 2, 3]) {
      loop.passSoon();
      await clock.run(900);
    }
    await clock.run(60_000);
    expect(passes).toEqual([20, 920, 1_820, 2_800]);
  });

  it('is made however many requests keep coming', async () => {
    const { clock, loop, passes } = createWorld();
    for (let ms = 0; ms < 100; ms += 5) {
      loop.passSoon();
      await clock.run(5);
    }
    expect(passes).toEqual([20, 40, 60, 80, 100]);
  });
});

describe('a pass at a time', () => {
  it('keeps the earliest of several times', async () => {
    const { clock, loop, passes } = createWorld();
    const start = clock.now();
    for (const at of [4_000, 2_000, 3_000]) loop.passAt(start + at);
    expect(clock.pending()).toHaveLength(1);
    await clock.run(10_000);
    expect(passes).toEqual([2_000]);
    loop.passAt(start + 12_000);
    await clock.run(10_000);
    expect(passes).toEqual([2_000, 12_000]);
  });

  it('that lies in the past is made at once', async () => {
    const { clock, loop, passes } = createWorld();
    loop.passAt(clock.now() - 5_000);
    await clock.advance(0);
    expect(passes).toEqual([0]);
  });
});

describe('closing the loop', () => {
  it('leaves no timer, waits for the pass that runs and refuses the one that waits', async () => {
    const { clock, loop, passes, hold, endPass } = createWorld();
    hold();
    loop.start(
      () => false,
      async () => {},
    );
    loop.passSoon();
    loop.passAt(clock.now() + 5_000);
    const running = loop.pass();
    const waiting = loop.pass();
    let closed = false;
    const closing = loop.close().then(() => (closed = true));
    await waiting;
    await clock.settle();
    expect([closed, clock.pending()]).toEqual([false, []]);
    endPass();
    await Promise.all([running, closing]);
    expect(passes).toHaveLength(1);
  });

  it('makes no pass any more, and arms no timer', async () => {
    const { clock, loop, passes } = createWorld();
    await loop.close();
    loop.passSoon();
    loop.passAt(clock.now());
    await loop.pass();
    expect([passes, clock.pending()]).toEqual([[], []]);
  });
});
