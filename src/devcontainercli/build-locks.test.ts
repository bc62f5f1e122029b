import { expect, it } from 'vitest';

import { cancelled } from '../errors.ts';
import { createBuildLocks } from './build-locks.ts';

const never = new AbortController().signal;
const plain = (workspaceFolder: string) => ({ workspaceFolder, sharesFeatures: false });
const shared = (workspaceFolder: string) => ({ workspaceFolder, sharesFeatures: true });

function setUp() {
  const locks = createBuildLocks();
  const log: string[] = [];
  return {
    log,
    async take(build: ReturnType<typeof plain>, name: string, signal: AbortSignal = never) {
      const release = await locks.acquire(build, signal, () => log.push(`${name} waits`));
      log.push(`${name} begins`);
      return release;
    },
  };
}

const settle = () => new Promise((resolve) => setImmediate(resolve));

it('keeps builds of one folder apart, in the order of asking', async () => {
  const { log, take } = setUp();
  const first = await take(plain('/a'), 'first');
  const second = take(plain('/a'), 'second');
  const third = take(plain('/a'), 'third');
  await take(plain('/b'), 'other');
  await settle();
  expect(log).toEqual(['first begins', 'second waits', 'third waits', 'other begins']);
  first();
  first();
  (await second)();
  await third;
  expect(log.slice(4)).toEqual(['second begins', 'third begins']);
});

it('keeps builds that share the image of features apart, whatever their folders', async () => {
  const { log, take } = setUp();
  const first = await take(shared('/a'), 'first');
  const second = take(shared('/b'), 'second');
  await take(plain('/c'), 'without features');
  await settle();
  expect(log).toEqual(['first begins', 'second waits', 'without features begins']);
  first();
  await second;
  expect(log.at(-1)).toBe('second begins');
});

it('holds nothing when the wait is cancelled', async () => {
  const { log, take } = setUp();
  const first = await take(shared('/a'), 'first');
  const abort = new AbortController();
  // This one has its folder and waits for the features.
  const second = take(shared('/b'), 'second', abort.signal);
  const third = take(shared('/a'), 'third', abort.signal);
  abort.abort(cancelled('deleted'));
  await expect(second).rejects.toMatchObject({ code: 'cancelled' });
  await expect(third).rejects.toMatchObject({ code: 'cancelled' });
  await take(plain('/b'), 'next of b');
  first();
  await take(shared('/a'), 'next of a');
  expect(log.filter((line) => line.includes('next'))).toEqual(['next of b begins', 'next of a begins']);
});

it('does not say that it waits when there is nothing to wait for', async () => {
  const { log, take } = setUp();
  for (const name of ['one', 'two']) (await take(shared('/a'), name))();
  expect(log).toEqual(['one begins', 'two begins']);
});
