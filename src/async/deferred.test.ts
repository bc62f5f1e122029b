import { describe, expect, it } from 'vitest';
import { createDeferred } from './deferred.ts';

describe('a deferred', () => {
  it('settles with the first value; later calls change nothing', async () => {
    const deferred = createDeferred<number>();
    expect(deferred.settled).toBe(false);
    deferred.resolve(1);
    deferred.resolve(2);
    deferred.reject(new Error('too late'));
    expect(deferred.settled).toBe(true);
    await expect(deferred.promise).resolves.toBe(1);
  });

  it('settles with the first error; a later value changes nothing', async () => {
    const deferred = createDeferred<number>();
    deferred.reject(new Error('first'));
    deferred.resolve(2);
    expect(deferred.settled).toBe(true);
    await expect(deferred.promise).rejects.toThrow('first');
  });

  it('becomes no unhandled rejection when nobody awaits it', async () => {
    const unhandled: unknown[] = [];
    const note = (error: unknown): void => void unhandled.push(error);
    process.on('unhandledRejection', note);
    try {
      createDeferred<void>().reject(new Error('nobody looks'));
      await new Promise((resolve) => setImmediate(resolve));
    } finally {
      process.off('unhandledRejection', note);
    }
    expect(unhandled).toEqual([]);
  });
});
