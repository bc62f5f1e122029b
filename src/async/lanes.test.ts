import { fc, test } from '@fast-check/vitest';
import { describe, expect, it } from 'vitest';
import { createDeferred, type Deferred } from './deferred.ts';
import { createLanes } from './lanes.ts';

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const reason = new Error('pre-empted');

interface Job {
  readonly signal: AbortSignal;
  readonly end: Deferred<void>;
}

/** Jobs that the test ends; those that have begun, by name. */
function createJobs() {
  const begun = new Map<string, Job>();
  const order: string[] = [];
  return {
    begun,
    order,
    job:
      (name: string) =>
      (signal: AbortSignal): Promise<void> => {
        const end = createDeferred<void>();
        begun.set(name, { signal, end });
        order.push(name);
        return end.promise;
      },
    async end(name: string): Promise<void> {
      begun.get(name)?.end.resolve();
      await settle();
    },
  };
}

describe('a lane', () => {
  it('runs one exclusive job and lets one wait; a third is refused and never begun', async () => {
    const lanes = createLanes();
    const { job, begun, order, end } = createJobs();
    const first = lanes.exclusive('a', reason, job('first'));
    const second = lanes.exclusive('a', reason, job('second'));
    await expect(lanes.exclusive('a', reason, job('third'))).resolves.toBe(false);
    await settle();
    expect(order).toEqual(['first']);
    expect(begun.get('first')?.signal.aborted).toBe(false);
    await end('first');
    expect(order).toEqual(['first', 'second']);
    await end('second');
    expect(await Promise.all([first, second])).toEqual([true, true]);
  });

  it('does not wait for another', async () => {
    const lanes = createLanes();
    const { job, order } = createJobs();
    void lanes.exclusive('a', reason, job('in a'));
    void lanes.exclusive('b', reason, job('in b'));
    void lanes.preemptible('c', job('in c'));
    await settle();
    expect(order).toEqual(['in a', 'in b', 'in c']);
  });

  it('pre-empts: an exclusive job aborts a preemptible one, waits for its end, then runs', async () => {
    const lanes = createLanes();
    const { job, begun, order, end } = createJobs();
    const soft = lanes.preemptible('a', job('soft'));
    await settle();
    const hard = lanes.exclusive('a', reason, job('hard'));
    await settle();
    expect(begun.get('soft')?.signal.reason).toBe(reason);
    expect(order).toEqual(['soft']);
    await end('soft');
    expect(order).toEqual(['soft', 'hard']);
    await end('hard');
    expect(await Promise.all([soft, hard])).toEqual([true, true]);
  });

  it.each(['exclusive', 'preemptible'] as const)(
    'refuses a preemptible job while it is in use by an %s one, without beginning it',
    async (kind) => {
      const lanes = createLanes();
      const { job, order, end } = createJobs();
      void (kind === 'exclusive' ? lanes.exclusive('a', reason, job('first')) : lanes.preemptible('a', job('first')));
      await expect(lanes.preemptible('a', job('soft'))).resolves.toBe(false);
      await settle();
      await end('first');
      expect(order).toEqual(['first']);
      void lanes.preemptible('a', job('soft'));
      await settle();
      expect(order).toEqual(['first', 'soft']);
    },
  );

  it('lets the waiting job run also when the one before it failed; the failure goes to its own caller', async () => {
    const lanes = createLanes();
    const { job, order, begun, end } = createJobs();
    const first = lanes.exclusive('a', reason, job('first'));
    const second = lanes.exclusive('a', reason, job('second'));
    await settle();
    begun.get('first')?.end.reject(new Error('it broke'));
    await expect(first).rejects.toThrow('it broke');
    await settle();
    expect(order).toEqual(['first', 'second']);
    await end('second');
    await expect(second).resolves.toBe(true);
  });

  it('takes a job that throws before its first await for a failed one, and is free again', async () => {
    const lanes = createLanes();
    const broken = lanes.exclusive('a', reason, () => {
      throw new Error('it broke');
    });
    await expect(broken).rejects.toThrow('it broke');
    await expect(lanes.preemptible('a', async () => {})).resolves.toBe(true);
  });

  it('aborts only a preemptible job by abortPreemptible', async () => {
    const lanes = createLanes();
    const { job, begun, end } = createJobs();
    void lanes.exclusive('a', reason, job('hard'));
    void lanes.preemptible('b', job('soft'));
    await settle();
    for (const key of ['a', 'b', 'unknown']) lanes.abortPreemptible(key, reason);
    expect(begun.get('hard')?.signal.aborted).toBe(false);
    expect(begun.get('soft')?.signal.reason).toBe(reason);
    await end('hard');
    await end('soft');
  });

  it('closes: all that runs is aborted, what waits is never begun, what comes is refused', async () => {
    const lanes = createLanes();
    const { job, begun, order, end } = createJobs();
    void lanes.exclusive('a', reason, job('running'));
    const waiting = lanes.exclusive('a', reason, job('waiting'));
    void lanes.preemptible('b', job('soft'));
    await settle();
    lanes.abortAll(reason);
    expect([...begun.values()].every(({ signal }) => signal.reason === reason)).toBe(true);
    await expect(lanes.exclusive('c', reason, job('late'))).resolves.toBe(false);
    await expect(lanes.preemptible('c', job('late'))).resolves.toBe(false);
    let drained = false;
    const draining = lanes.drain().then(() => (drained = true));
    await end('running');
    expect(drained).toBe(false);
    await end('soft');
    await draining;
    await expect(waiting).resolves.toBe(false);
    expect(order).toEqual(['running', 'soft']);
  });

  const action = fc.oneof(
    fc.record({ do: fc.constantFrom('exclusive' as const, 'preemptible' as const), key: fc.constantFrom('a', 'b') }),
    fc.record({ do: fc.constant('end' as const), pick: fc.nat(), fails: fc.boolean() }),
    fc.record({ do: fc.constant('settle' as const) }),
  );

  test.prop([fc.array(action, { maxLength: 50 })])(
    'never runs two jobs, never lets more than one wait, and begins every job that it did not refuse',
    async (actions) => {
      const lanes = createLanes();
      const running = new Map<string, { end: Deferred<void>; signal: AbortSignal; preemptible: boolean }>();
      const asked: { readonly begun: () => boolean; readonly result: Promise<boolean> }[] = [];
      for (const one of actions) {
        if (one.do === 'exclusive' || one.do === 'preemptible') {
          let begun = false;
          const job = async (signal: AbortSignal): Promise<void> => {
            begun = true;
            expect(running.has(one.key)).toBe(false);
            const end = createDeferred<void>();
            running.set(one.key, { end, signal, preemptible: one.do === 'preemptible' });
            await end.promise.finally(() => running.delete(one.key));
          };
          const asking =
            one.do === 'exclusive' ? lanes.exclusive(one.key, reason, job) : lanes.preemptible(one.key, job);
          asked.push({ begun: () => begun, result: asking.catch(() => true) });
        } else if (one.do === 'end') {
          const jobs = [...running.values()];
          const { end } = jobs[one.pick % Math.max(1, jobs.length)] ?? {};
          if (one.fails) end?.reject(new Error('it broke'));
          else end?.resolve();
        } else await settle();
      }
      // At most the running and the waiting one of each of the two lanes are left.
      for (let round = 0; round < 5; round++) {
        await settle();
        for (const { end } of running.values()) end.resolve();
      }
      await lanes.drain();
      for (const { begun, result } of asked) expect(begun()).toBe(await result);
    },
  );
});
