import { expect, it } from 'vitest';
import { createDeferred } from './deferred.ts';
import { settleAll } from './settle-all.ts';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

it('throws the first failure, in the order of the work, when all have ended', async () => {
  const slow = createDeferred<void>();
  let ended = false;
  const all = settleAll([
    slow.promise.then(() => Promise.reject(new Error('the slow one'))),
    Promise.reject(new Error('the quick one')),
    Promise.resolve(),
  ]).finally(() => {
    ended = true;
  });
  const failure = all.catch((error: unknown) => error);
  await turn();
  expect(ended).toBe(false);
  slow.resolve();
  expect(await failure).toMatchObject({ message: 'the slow one' });
});

it('ends well when all end well, also when there is nothing', async () => {
  await expect(settleAll([Promise.resolve(1), Promise.resolve(2)])).resolves.toBeUndefined();
  await expect(settleAll([])).resolves.toBeUndefined();
});
