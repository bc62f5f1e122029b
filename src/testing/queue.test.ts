import { expect, it } from 'vitest';
import { createQueue } from './queue.ts';

it('delivers everything before its end, and nothing after it', async () => {
  const queue = createQueue<number>();
  queue.push(1);
  const all = (async () => {
    const items: number[] = [];
    for await (const item of queue) items.push(item);
    return items;
  })();
  await Promise.resolve();
  queue.push(2);
  queue.end();
  queue.push(3);
  expect(await all).toEqual([1, 2]);
});

it('delivers everything before it throws', async () => {
  const queue = createQueue<number>();
  queue.push(1);
  queue.fail(new Error('lost'));
  queue.end();
  const items: number[] = [];
  await expect(
    (async () => {
      for await (const item of queue) items.push(item);
    })(),
  ).rejects.toThrow('lost');
  expect(items).toEqual([1]);
});
