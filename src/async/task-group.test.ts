import { describe, expect, it } from 'vitest';
import { createDeferred } from './deferred.ts';
import { createTaskGroup } from './task-group.ts';

const never = (error: unknown): never => {
  throw new Error('no task fails here', { cause: error });
};

describe('a task group', () => {
  it('names what runs, and forgets it when it has ended', async () => {
    const group = createTaskGroup(never);
    const first = createDeferred<void>();
    const second = createDeferred<void>();
    group.spawn('first', () => first.promise);
    group.spawn('second', () => second.promise);
    expect(group.running()).toEqual(['first', 'second']);
    first.resolve();
    await first.promise;
    second.resolve();
    await group.drain();
    expect(group.running()).toEqual([]);
  });

  it('begins a task after the call that spawned it', async () => {
    const group = createTaskGroup(never);
    const log: string[] = [];
    group.spawn('task', async () => void log.push('begun'));
    log.push('spawned');
    await group.drain();
    expect(log).toEqual(['spawned', 'begun']);
  });

  it('drains also what is spawned while it waits', async () => {
    const group = createTaskGroup(never);
    const gates = [createDeferred<void>(), createDeferred<void>(), createDeferred<void>()];
    const ended: number[] = [];
    const spawn = (index: number): void =>
      group.spawn(`task ${index}`, async () => {
        await gates[index]?.promise;
        if (index < 2) spawn(index + 1);
        ended.push(index);
      });
    spawn(0);
    let drained = false;
    const draining = group.drain().then(() => (drained = true));
    for (const gate of gates) {
      expect(drained).toBe(false);
      gate.resolve();
      await new Promise((resolve) => setImmediate(resolve));
    }
    await draining;
    expect(ended).toEqual([0, 1, 2]);
  });

  it.each([
    ['rejects', () => Promise.reject(new Error('it broke'))],
    [
      'throws before its first await',
      () => {
        throw new Error('it broke');
      },
    ],
  ])('reports a task that %s to onError, and drains all the same', async (_how, task) => {
    const errors: unknown[] = [];
    const group = createTaskGroup((error, name) => errors.push([name, (error as Error).message]));
    group.spawn('bad', task);
    await group.drain();
    expect(errors).toEqual([['bad', 'it broke']]);
    expect(group.running()).toEqual([]);
  });

  it('drains at once when nothing runs', async () => {
    await expect(createTaskGroup(never).drain()).resolves.toBeUndefined();
  });

  it('has settled when what runs now has ended, whatever is spawned later', async () => {
    const group = createTaskGroup(never);
    const [now, later] = [createDeferred<void>(), createDeferred<void>()];
    group.spawn('now', () => now.promise);
    const settled = group.settled();
    group.spawn('later', () => later.promise);
    now.resolve();
    await settled;
    expect(group.running()).toEqual(['later']);
    later.resolve();
    await group.drain();
  });
});
