import { getEventListeners } from 'node:events';
import { fc, test } from '@fast-check/vitest';
import { describe, expect, it } from 'vitest';
import { isAgentContainersError } from '../errors.ts';
import { createFakeClock } from '../testing/fake-clock.ts';
import { bounded, deadlineScope, linkedScope, raceAbort, sleep } from './abort.ts';
import { createDeferred } from './deferred.ts';

const listeners = (...signals: AbortSignal[]): number =>
  signals.reduce((sum, signal) => sum + getEventListeners(signal, 'abort').length, 0);

describe('a linked scope', () => {
  it('ends with its parent, for the parent’s reason', () => {
    const parent = new AbortController();
    const scope = linkedScope(undefined, parent.signal);
    const reason = new Error('parent ended');
    parent.abort(reason);
    expect(scope.signal.reason).toBe(reason);
  });

  it('is ended from the start when a parent is', () => {
    const reason = new Error('ended before');
    const other = new AbortController();
    const scope = linkedScope(other.signal, AbortSignal.abort(reason));
    expect(scope.signal.reason).toBe(reason);
    expect(listeners(other.signal)).toBe(0);
  });

  it('serves many listeners without a warning of Node', async () => {
    const warnings: string[] = [];
    const note = (warning: Error): void => void warnings.push(warning.name);
    process.on('warning', note);
    const { signal } = linkedScope();
    for (let index = 0; index < 50; index++) signal.addEventListener('abort', () => {});
    await new Promise((resolve) => setImmediate(resolve));
    process.off('warning', note);
    expect(warnings).toEqual([]);
  });

  it('does not end its parents', () => {
    const parent = new AbortController();
    linkedScope(parent.signal).abort(new Error('mine only'));
    expect(parent.signal.aborted).toBe(false);
  });

  it('no longer follows its parents once released', () => {
    const parent = new AbortController();
    const scope = linkedScope(parent.signal);
    scope.release();
    parent.abort(new Error('too late'));
    expect(scope.signal.aborted).toBe(false);
  });

  const action = fc.record({ who: fc.constantFrom('scope', 'release', 'a', 'b'), reason: fc.nat() });

  test.prop([fc.array(action, { maxLength: 6 })])(
    'keeps the first reason and leaves no listener once released or ended',
    (actions) => {
      const parents = { a: new AbortController(), b: new AbortController() };
      const scope = linkedScope(parents.a.signal, parents.b.signal);
      let expected: unknown;
      let over = false;
      for (const { who, reason } of actions) {
        const wasAborted = who === 'a' || who === 'b' ? parents[who].signal.aborted : scope.signal.aborted;
        if (who === 'release') scope.release();
        else if (who === 'scope') scope.abort(reason);
        else parents[who as 'a' | 'b'].abort(reason);
        // A scope can still be ended by itself after its release; a parent no longer does it.
        const ends: boolean = who === 'scope' || (who !== 'release' && !over && !wasAborted);
        if (ends && expected === undefined) expected = reason;
        over ||= who === 'release' || ends;
        expect(scope.signal.aborted).toBe(expected !== undefined);
        if (expected !== undefined) expect(scope.signal.reason).toBe(expected);
        expect(listeners(parents.a.signal, parents.b.signal)).toBe(over ? 0 : 2);
      }
    },
  );
});

describe('a deadline scope', () => {
  it('ends with a timeout error whose message says what did not answer', async () => {
    const clock = createFakeClock();
    const parent = new AbortController();
    const scope = deadlineScope(clock, 15_000, 'Listing containers', parent.signal);
    await clock.advance(14_999);
    expect(scope.signal.aborted).toBe(false);
    await clock.advance(1);
    expect(isAgentContainersError(scope.signal.reason, 'timeout')).toBe(true);
    expect((scope.signal.reason as Error).message).toBe('Listing containers failed: no answer within 15 s.');
    expect(listeners(parent.signal)).toBe(0);
    expect(clock.pending()).toEqual([]);
  });

  it('leaves neither timer nor listener once released', () => {
    const clock = createFakeClock();
    const parent = new AbortController();
    const scope = deadlineScope(clock, 15_000, 'Listing containers', parent.signal);
    expect([clock.pending().length, listeners(parent.signal)]).toEqual([1, 1]);
    scope.release();
    expect([clock.pending().length, listeners(parent.signal)]).toEqual([0, 0]);
  });

  it('keeps the reason of whoever ended it before the deadline', async () => {
    const clock = createFakeClock();
    const scope = deadlineScope(clock, 1_000, 'Listing containers');
    scope.abort(new Error('ended by hand'));
    await clock.advance(1_000);
    expect((scope.signal.reason as Error).message).toBe('ended by hand');
    scope.release();
    expect(clock.pending()).toEqual([]);
  });
});

describe('bounded', () => {
  it('settles like the work, and leaves neither timer nor listener', async () => {
    const clock = createFakeClock();
    const { signal } = new AbortController();
    await expect(bounded(clock, 100, 'Asking', signal, async () => 1)).resolves.toBe(1);
    await expect(bounded(clock, 100, 'Asking', signal, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect([clock.pending().length, listeners(signal)]).toEqual([0, 0]);
  });

  it('goes on without work that does not keep to its deadline, and tells it by its signal', async () => {
    const clock = createFakeClock();
    let given: AbortSignal | undefined;
    const asked = bounded(clock, 100, 'Asking', undefined, (signal) => {
      given = signal;
      return new Promise<never>(() => {});
    });
    const refused = asked.catch((error: unknown) => error);
    await clock.advance(100);
    expect(await refused).toMatchObject({ message: 'Asking failed: no answer within 0.1 s.' });
    expect(given?.aborted).toBe(true);
  });

  it('ends with its parent', async () => {
    const clock = createFakeClock();
    const parent = new AbortController();
    const asked = bounded(clock, 100, 'Asking', parent.signal, () => new Promise<never>(() => {}));
    parent.abort(new Error('parent ended'));
    await expect(asked).rejects.toThrow('parent ended');
    expect([clock.pending().length, listeners(parent.signal)]).toEqual([0, 0]);
  });
});

describe('raceAbort', () => {
  it('settles like the promise, and leaves no listener', async () => {
    const { signal } = new AbortController();
    await expect(raceAbort(Promise.resolve(1), signal)).resolves.toBe(1);
    await expect(raceAbort(Promise.reject(new Error('it broke')), signal)).rejects.toThrow('it broke');
    await new Promise((resolve) => setImmediate(resolve));
    expect(listeners(signal)).toBe(0);
  });

  it('rejects with the reason as soon as the signal aborts, though the work goes on; its late end is dropped', async () => {
    const controller = new AbortController();
    const work = createDeferred<number>();
    const raced = raceAbort(work.promise, controller.signal);
    controller.abort(new Error('no time'));
    await expect(raced).rejects.toThrow('no time');
    work.reject(new Error('late'));
    await new Promise((resolve) => setImmediate(resolve));
    expect(listeners(controller.signal)).toBe(0);
  });

  it('rejects at once when the signal has aborted already, and drops a failure of the work', async () => {
    const failed = Promise.reject(new Error('dropped'));
    await expect(raceAbort(failed, AbortSignal.abort(new Error('before')))).rejects.toThrow('before');
  });
});

describe('sleep', () => {
  it('ends when its time has passed on the clock, without a listener left', async () => {
    const clock = createFakeClock();
    const { signal } = new AbortController();
    const slept = sleep(clock, 250, signal, 'nap');
    expect(clock.pending().map(({ tag }) => tag)).toEqual(['nap']);
    await clock.advance(250);
    await slept;
    expect(listeners(signal)).toBe(0);
  });

  it('ends with the reason as soon as the signal aborts, without a timer left', async () => {
    const clock = createFakeClock();
    const controller = new AbortController();
    const slept = sleep(clock, 250, controller.signal);
    controller.abort(new Error('woken'));
    await expect(slept).rejects.toThrow('woken');
    expect(clock.pending()).toEqual([]);
    await expect(sleep(clock, 250, controller.signal)).rejects.toThrow('woken');
    expect(clock.pending()).toEqual([]);
  });
});
