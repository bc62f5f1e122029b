import { fc, test } from '@fast-check/vitest';
import { describe, expect, it } from 'vitest';
import { createCoalescer } from './coalescer.ts';
import { createDeferred, type Deferred } from './deferred.ts';

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Runs that the test ends. Each notes at which step of the test it began. */
function createRuns() {
  const runs: { readonly begunAt: number; readonly end: Deferred<void> }[] = [];
  let step = 0;
  return {
    runs,
    nextStep: () => ++step,
    run(): Promise<void> {
      const end = createDeferred<void>();
      runs.push({ begunAt: ++step, end });
      return end.promise;
    },
  };
}

describe('a coalescer', () => {
  it('begins a run at once when none runs', () => {
    const { runs, run } = createRuns();
    void createCoalescer(run).request();
    expect(runs).toHaveLength(1);
  });

  it('gives all requests that come while one runs one shared trailing run', async () => {
    const { runs, run } = createRuns();
    const coalescer = createCoalescer(run);
    const first = coalescer.request();
    const later = [coalescer.request(), coalescer.request(), coalescer.request()];
    let laterEnded = 0;
    for (const one of later) void one.then(() => laterEnded++);
    expect(runs).toHaveLength(1);
    runs[0]?.end.resolve();
    await first;
    await settle();
    expect(laterEnded).toBe(0);
    expect(runs).toHaveLength(2);
    runs[1]?.end.resolve();
    await Promise.all(later);
    await settle();
    expect(runs).toHaveLength(2);
  });

  it('lets a failed run reject exactly its own requests', async () => {
    const { runs, run } = createRuns();
    const coalescer = createCoalescer(run);
    const first = coalescer.request();
    const second = coalescer.request();
    runs[0]?.end.reject(new Error('it broke'));
    await expect(first).rejects.toThrow('it broke');
    runs[1]?.end.resolve();
    await expect(second).resolves.toBeUndefined();
    const third = coalescer.request();
    runs[2]?.end.resolve();
    await expect(third).resolves.toBeUndefined();
  });

  it('takes a run that throws before its first await for a failed one', async () => {
    const coalescer = createCoalescer(() => {
      throw new Error('it broke');
    });
    await expect(coalescer.request()).rejects.toThrow('it broke');
    await expect(coalescer.request()).rejects.toThrow('it broke');
  });

  it('waits for the running run when it closes, and refuses the trailing one and all that come', async () => {
    const { runs, run } = createRuns();
    const coalescer = createCoalescer(run);
    const first = coalescer.request();
    const trailing = coalescer.request();
    let closed = false;
    const closing = coalescer.close(new Error('closed')).then(() => (closed = true));
    await expect(trailing).rejects.toThrow('closed');
    await expect(coalescer.request()).rejects.toThrow('closed');
    await settle();
    expect(closed).toBe(false);
    runs[0]?.end.resolve();
    await Promise.all([first, closing]);
    await settle();
    expect(runs).toHaveLength(1);
  });

  it('closes at once when nothing runs, also twice; the first reason stays', async () => {
    const coalescer = createCoalescer(async () => {});
    await coalescer.close(new Error('first'));
    await coalescer.close(new Error('second'));
    await expect(coalescer.request()).rejects.toThrow('first');
  });

  it('closes also when the run that it waits for fails', async () => {
    const { runs, run } = createRuns();
    const coalescer = createCoalescer(run);
    const request = coalescer.request();
    const closing = coalescer.close(new Error('closed'));
    runs[0]?.end.reject(new Error('it broke'));
    await expect(request).rejects.toThrow('it broke');
    await expect(closing).resolves.toBeUndefined();
  });

  const action = fc.oneof(
    { weight: 3, arbitrary: fc.constant('request' as const) },
    { weight: 2, arbitrary: fc.constantFrom('end' as const, 'fail' as const) },
    { weight: 1, arbitrary: fc.constant('settle' as const) },
  );

  test.prop([fc.array(action, { maxLength: 60 })])(
    'gives every request a run that began after it, one at a time, and no more than are needed',
    async (actions) => {
      const { runs, run, nextStep } = createRuns();
      let ended = 0;
      const coalescer = createCoalescer(async () => {
        expect(runs.length).toBe(ended);
        try {
          await run();
        } finally {
          ended++;
        }
      });
      const requests: { readonly askedAt: number; readonly settled: Promise<number> }[] = [];
      const endOne = (fails: boolean): void => {
        const running = runs.find(({ end }) => !end.settled);
        if (fails) running?.end.reject(new Error('it broke'));
        else running?.end.resolve();
      };
      for (const one of actions) {
        if (one === 'request') {
          const askedAt = nextStep();
          // The run that has just ended when the request settles is the one it was given.
          const which = (): number => runs[ended - 1]?.begunAt ?? 0;
          requests.push({ askedAt, settled: coalescer.request().then(which, which) });
        } else if (one !== 'settle') endOne(one === 'fail');
        if (one === 'settle') await settle();
      }
      await settle();
      while (runs.some(({ end }) => !end.settled)) {
        endOne(false);
        await settle();
      }
      for (const { askedAt, settled } of requests) expect(await settled).toBeGreaterThan(askedAt);
      expect(runs.length).toBeLessThanOrEqual(requests.length);
      expect(ended).toBe(runs.length);
    },
  );
});
