import { getEventListeners } from 'node:events';
import { fc, test } from '@fast-check/vitest';
import { describe, expect, it } from 'vitest';
import { createDeferred, type Deferred } from './deferred.ts';
import { createLimiter } from './limiter.ts';

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('a limiter', () => {
  it('serves waiting callers in the order of asking', async () => {
    const limiter = createLimiter(1);
    const begun: string[] = [];
    const gate = createDeferred<void>();
    const { signal } = new AbortController();
    const all = ['a', 'b', 'c'].map((name) =>
      limiter.run(signal, async () => {
        begun.push(name);
        await gate.promise;
      }),
    );
    await settle();
    expect(begun).toEqual(['a']);
    gate.resolve();
    await Promise.all(all);
    expect(begun).toEqual(['a', 'b', 'c']);
  });

  it('hands on the result and the failure of the work, and frees the place after either', async () => {
    const limiter = createLimiter(1);
    const { signal } = new AbortController();
    await expect(limiter.run(signal, async () => 42)).resolves.toBe(42);
    await expect(limiter.run(signal, () => Promise.reject(new Error('it broke')))).rejects.toThrow('it broke');
    await expect(limiter.run(signal, async () => 43)).resolves.toBe(43);
  });

  it('lets a caller whose signal aborts leave the queue without having begun', async () => {
    const limiter = createLimiter(1);
    const gate = createDeferred<void>();
    const held = limiter.run(new AbortController().signal, () => gate.promise);
    const leaving = new AbortController();
    let begun = false;
    const left = limiter.run(leaving.signal, async () => void (begun = true));
    const behind = limiter.run(new AbortController().signal, async () => 'behind');
    leaving.abort(new Error('caller left'));
    await expect(left).rejects.toThrow('caller left');
    gate.resolve();
    await held;
    await expect(behind).resolves.toBe('behind');
    expect(begun).toBe(false);
    expect(getEventListeners(leaving.signal, 'abort')).toEqual([]);
  });

  it('refuses a caller whose signal has aborted already, and leaves the place to others', async () => {
    const limiter = createLimiter(1);
    await expect(limiter.run(AbortSignal.abort(new Error('left before')), async () => 1)).rejects.toThrow(
      'left before',
    );
    await expect(limiter.run(new AbortController().signal, async () => 2)).resolves.toBe(2);
  });

  it('leaves no listener on the signal of a caller that waited and was served', async () => {
    const limiter = createLimiter(1);
    const gate = createDeferred<void>();
    const { signal } = new AbortController();
    const both = [limiter.run(signal, () => gate.promise), limiter.run(signal, async () => {})];
    expect(getEventListeners(signal, 'abort')).toHaveLength(1);
    gate.resolve();
    await Promise.all(both);
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });

  it('gives back what was acquired once, however often it is released', async () => {
    const limiter = createLimiter(1);
    const { signal } = new AbortController();
    const release = await limiter.acquire(signal);
    const begun: string[] = [];
    const all = ['a', 'b'].map((name) => limiter.acquire(signal).then(() => begun.push(name)));
    release();
    release();
    await all[0];
    await settle();
    expect(begun).toEqual(['a']);
  });

  const action = fc.oneof(
    fc.record({ do: fc.constant('ask' as const) }),
    fc.record({ do: fc.constant('end' as const), pick: fc.nat(), fails: fc.boolean() }),
    fc.record({ do: fc.constant('abort' as const), pick: fc.nat() }),
  );

  test.prop([fc.integer({ min: 1, max: 3 }), fc.array(action, { maxLength: 40 })])(
    'never has more holders than the limit, never leaves a place empty while one waits, and is fair',
    async (limit, actions) => {
      const limiter = createLimiter(limit);
      const holders: Deferred<void>[] = [];
      const begun: number[] = [];
      // What a list would do: the model.
      let waiting: { index: number; controller: AbortController }[] = [];
      const expected: number[] = [];
      const results: Promise<unknown>[] = [];
      let asked = 0;
      let held = 0;

      const serve = (): void => {
        while (held < limit && waiting.length > 0) {
          expected.push(waiting.shift()!.index);
          held++;
        }
      };
      for (const one of actions) {
        if (one.do === 'ask') {
          const index = asked++;
          const controller = new AbortController();
          waiting.push({ index, controller });
          const run = limiter.run(controller.signal, () => {
            begun.push(index);
            const work = createDeferred<void>();
            holders.push(work);
            return work.promise;
          });
          results.push(run.catch(() => {}));
        } else if (one.do === 'end' && holders.length > 0) {
          const [ending] = holders.splice(one.pick % holders.length, 1);
          if (one.fails) ending?.reject(new Error('it broke'));
          else ending?.resolve();
          held--;
        } else if (one.do === 'abort' && waiting.length > 0) {
          const leaving = waiting[one.pick % waiting.length]!;
          waiting = waiting.filter((other) => other !== leaving);
          leaving.controller.abort(new Error('caller left'));
        }
        serve();
        await settle();
        expect(holders.length).toBe(held);
        expect(holders.length).toBeLessThanOrEqual(limit);
        expect(begun).toEqual(expected);
      }
      while (holders.length > 0) {
        holders.shift()?.resolve();
        await settle();
      }
      await Promise.all(results);
    },
  );
});
