import { fc, test } from '@fast-check/vitest';
import { describe, expect, it } from 'vitest';
import { createItemPipe } from './item-pipe.ts';

/** Of an item beside its own. */
const ITEM_BYTES = 256;
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('an item pipe', () => {
  it('counts what an item costs beside its bytes', () => {
    const pipe = createItemPipe<string>(() => {});
    let pushed = 1;
    while (pushed < 10_000 && pipe.push('', 0)) pushed++;
    expect(pushed).toBeLessThan(2_000);
  });

  test.prop([
    fc.array(fc.oneof(fc.constant('read' as const), fc.integer({ min: 1, max: 200_000 })), { maxLength: 60 }),
  ])('hands everything on in order, and holds no more than its bound and one item', async (steps) => {
    let room = true;
    const pipe = createItemPipe<number>(() => (room = true));
    const reader = pipe[Symbol.asyncIterator]();
    const pushed: number[] = [];
    const read: number[] = [];
    const sizes: number[] = [];
    let held = 0;
    const take = async (): Promise<void> => {
      const { value } = await reader.next();
      read.push(value!);
      held -= sizes[value!]! + ITEM_BYTES;
    };
    for (const step of steps) {
      if (step === 'read') {
        if (read.length < pushed.length) await take();
      } else if (room) {
        const index = pushed.push(pushed.length) - 1;
        sizes.push(step);
        held += step + ITEM_BYTES;
        room = pipe.push(index, step);
        expect(room).toBe(held < 262_144);
      }
      expect(held).toBeLessThan(262_144 + 200_000 + ITEM_BYTES);
    }
    while (read.length < pushed.length) await take();
    expect(room).toBe(true);
    pipe.end();
    expect(await reader.next()).toEqual({ done: true, value: undefined });
    expect(read).toEqual(pushed);
  });

  it('gives an item to a reader that waits, and the end to all that wait', async () => {
    const pipe = createItemPipe<string>(() => {});
    const reader = pipe[Symbol.asyncIterator]();
    const [first, second, third] = [reader.next(), reader.next(), reader.next()];
    pipe.push('a', 1);
    pipe.end();
    expect(await Promise.all([first, second, third])).toEqual([
      { done: false, value: 'a' },
      { done: true, value: undefined },
      { done: true, value: undefined },
    ]);
  });

  it('tells an error once, after what came before it', async () => {
    const pipe = createItemPipe<string>(() => {});
    pipe.push('a', 1);
    pipe.fail(new Error('broke off'));
    pipe.push('b', 1);
    const reader = pipe[Symbol.asyncIterator]();
    expect(await reader.next()).toMatchObject({ value: 'a' });
    await expect(reader.next()).rejects.toThrow('broke off');
    expect(await reader.next()).toMatchObject({ done: true });
  });

  it('holds nothing up once its reader has left, and has one reader', async () => {
    let rooms = 0;
    const pipe = createItemPipe<string>(() => rooms++);
    expect(pipe.push('a', 300_000)).toBe(false);
    for await (const item of pipe) {
      expect(item).toBe('a');
      expect(pipe.push('b', 300_000)).toBe(false);
      break;
    }
    await turn();
    expect(rooms).toBe(2);
    expect(pipe.push('c', 300_000)).toBe(true);
    expect(() => pipe[Symbol.asyncIterator]()).toThrow('there is a reader already');
  });
});
