import { describe, expect, it, vi } from 'vitest';
import { createFakeClock, FAKE_CLOCK_START } from './fake-clock.ts';
import { createGate } from './gate.ts';

describe('fake clock', () => {
  it('starts at its start and moves only when it is told to', async () => {
    const clock = createFakeClock({ start: 5_000 });
    expect(clock.now()).toBe(5_000);
    await clock.settle();
    expect(clock.now()).toBe(5_000);
    await clock.advance(250);
    expect(clock.now()).toBe(5_250);
    expect(createFakeClock().now()).toBe(FAKE_CLOCK_START);
  });

  it('fires a timer at its instant and not before', async () => {
    const clock = createFakeClock({ start: 0 });
    const fn = vi.fn<() => void>();
    clock.afterFunc(100, fn, 'once');
    await clock.advance(99);
    expect(fn).not.toHaveBeenCalled();
    await clock.advance(1);
    expect(fn).toHaveBeenCalledTimes(1);
    expect(clock.pending()).toEqual([]);
  });

  it('awaits what callbacks return, what they schedule for now and what follows from both', async () => {
    const clock = createFakeClock();
    const log: string[] = [];
    const later = createGate();
    clock.afterFunc(10, async () => {
      await new Promise((resolve) => setTimeout(resolve, 5));
      log.push('after real I/O');
      clock.afterFunc(0, async () => {
        await Promise.resolve();
        log.push('scheduled for now');
        later.open();
      });
    });
    void later.wait().then(() => log.push('continuation of somebody else'));
    await clock.advance(10);
    expect(log).toEqual(['after real I/O', 'scheduled for now', 'continuation of somebody else']);
  });

  it('lets take effect what was done before, so that time does not go past a timer that follows from it', async () => {
    const clock = createFakeClock({ start: 0 });
    const fired: number[] = [];
    const soon = async () => {
      await Promise.resolve();
      clock.afterFunc(20, () => void fired.push(clock.now()), 'debounce');
    };
    void soon();
    await clock.run(100);
    void soon();
    await expect(clock.advance(100)).rejects.toThrow('"debounce" in 20 ms');
    void soon();
    expect(await clock.advanceToNext()).toBe(20);
    expect(fired).toEqual([20, 120, 120]);
  });

  it('fires in a run what is armed for its last instant by what happens there', async () => {
    const clock = createFakeClock({ start: 0 });
    const fired: number[] = [];
    clock.afterFunc(10, async () => {
      await Promise.resolve();
      clock.afterFunc(0, () => void fired.push(clock.now()));
    });
    await clock.run(10);
    expect(fired).toEqual([10]);
  });

  it('lets work through that nobody returned and that takes turns of the event loop', async () => {
    const clock = createFakeClock();
    let turns = 0;
    const work = async () => {
      for (; turns < 5; turns++) await new Promise((resolve) => setImmediate(resolve));
    };
    clock.afterFunc(10, () => void work());
    await clock.advance(10);
    expect(turns).toBe(5);
    turns = 0;
    void work();
    await clock.settle();
    expect(turns).toBe(5);
  });

  it('awaits a callback that waits for another one of the same instant', async () => {
    const clock = createFakeClock();
    const gate = createGate();
    clock.afterFunc(10, () => gate.wait());
    clock.afterFunc(10, () => gate.open());
    await clock.advance(10);
    expect(gate.opened).toBe(true);
  });

  it('refuses to go past a timer, names it and stays where it is', async () => {
    const clock = createFakeClock({ start: 0 });
    clock.afterFunc(10, () => {}, 'early');
    clock.tickerFunc(20, () => {}, 'tick');
    await expect(clock.advance(21)).rejects.toThrow('"early" in 10 ms, "tick" in 20 ms');
    expect(clock.now()).toBe(0);
    expect(clock.pending()).toEqual([
      { tag: 'early', at: 10 },
      { tag: 'tick', at: 20 },
    ]);
  });

  it('steps to the next timer and says how far that was', async () => {
    const clock = createFakeClock();
    const fn = vi.fn<() => void>();
    clock.afterFunc(30, fn);
    expect(clock.next()).toBe(30);
    expect(await clock.advanceToNext()).toBe(30);
    expect(fn).toHaveBeenCalledTimes(1);
    expect(clock.next()).toBeUndefined();
    await expect(clock.advanceToNext()).rejects.toThrow('nothing is scheduled');
  });

  it('drops the ticks that come while a call of the ticker is pending', async () => {
    const clock = createFakeClock();
    const gate = createGate();
    let calls = 0;
    clock.tickerFunc(10, async () => {
      if (++calls === 1) await gate.wait();
    });
    const first = clock.advance(10);
    await gate.reached();
    await clock.advance(10);
    expect(calls).toBe(1);
    gate.open();
    await first;
    await clock.advance(10);
    expect(calls).toBe(2);
  });

  it('says whether stopping a timer prevented it from firing', async () => {
    const clock = createFakeClock();
    const fn = vi.fn<() => void>();
    const stopped = clock.afterFunc(10, fn);
    expect(stopped.stop()).toBe(true);
    expect(stopped.stop()).toBe(false);
    const fired = clock.afterFunc(10, () => {});
    const ticker = clock.tickerFunc(10, () => {});
    await clock.advance(10);
    expect(fn).not.toHaveBeenCalled();
    expect(fired.stop()).toBe(false);
    expect(ticker.stop()).toBe(true);
    expect(clock.leaks()).toEqual([]);
  });

  it('lets a callback stop another timer of the same instant', async () => {
    const clock = createFakeClock();
    const fn = vi.fn<() => void>();
    clock.afterFunc(10, () => void second.stop());
    const second = clock.afterFunc(10, fn);
    await clock.advance(10);
    expect(fn).not.toHaveBeenCalled();
  });

  it('rejects an advance with what a callback threw or rejected with', async () => {
    const clock = createFakeClock();
    clock.afterFunc(1, () => {
      throw new Error('thrown');
    });
    await expect(clock.advance(1)).rejects.toThrow('thrown');
    clock.afterFunc(1, () => Promise.reject(new Error('first')));
    clock.afterFunc(1, () => Promise.reject(new Error('second')));
    await expect(clock.advance(1)).rejects.toMatchObject({ errors: [{ message: 'first' }, { message: 'second' }] });
    clock.afterFunc(5, () => Promise.reject(new Error('in a run')));
    await expect(clock.run(10)).rejects.toThrow('in a run');
  });

  it('runs through every timer on the way, also those that fire meanwhile', async () => {
    const clock = createFakeClock({ start: 0 });
    const log: string[] = [];
    clock.tickerFunc(10, () => void log.push(`tick ${clock.now()}`));
    clock.afterFunc(15, () => void clock.afterFunc(3, () => void log.push(`child ${clock.now()}`)));
    await clock.run(25);
    expect(log).toEqual(['tick 10', 'child 18', 'tick 20']);
    expect(clock.now()).toBe(25);
  });

  it('lets a deadline pass in a run although an earlier callback waits for it', async () => {
    const clock = createFakeClock({ start: 0 });
    const deadline = createGate();
    let ended: number | undefined;
    clock.afterFunc(10, async () => {
      clock.afterFunc(15, () => deadline.open(), 'deadline');
      await deadline.wait();
      ended = clock.now();
    });
    await clock.run(40);
    expect(ended).toBe(25);
  });

  it('gives up an advance that nothing can end, and names what it waited for', async () => {
    const clock = createFakeClock({ patienceMs: 20 });
    const gate = createGate();
    clock.afterFunc(1, () => gate.wait(), 'stuck');
    await expect(clock.advance(1)).rejects.toThrow('"stuck" did not end within 20 ms of real time');
    gate.open();
  });

  it('ends an endless chain of timers for now', async () => {
    const clock = createFakeClock();
    const again = () => void clock.afterFunc(0, again, 'again');
    again();
    await expect(clock.advance(0)).rejects.toThrow('"again" in 0 ms');
  });

  it('refuses delays that no timer can wait', () => {
    const clock = createFakeClock();
    expect(() => clock.afterFunc(Number.NaN, () => {})).toThrow(RangeError);
    expect(() => clock.afterFunc(Infinity, () => {})).toThrow(RangeError);
    expect(() => clock.tickerFunc(2 ** 31, () => {})).toThrow(RangeError);
    clock.afterFunc(-5, () => {});
    expect(clock.next()).toBe(0);
  });

  it('patches nothing, and works while the globals are patched', async () => {
    const before = [globalThis.setTimeout, globalThis.setImmediate, globalThis.Date];
    const clock = createFakeClock();
    expect([globalThis.setTimeout, globalThis.setImmediate, globalThis.Date]).toEqual(before);
    vi.useFakeTimers();
    try {
      const fn = vi.fn<() => Promise<void>>(async () => {});
      clock.afterFunc(10, fn);
      await clock.advance(10);
      expect(fn).toHaveBeenCalledTimes(1);
    } finally {
      vi.useRealTimers();
    }
  });
});
