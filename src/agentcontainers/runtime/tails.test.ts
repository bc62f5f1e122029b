import { describe, expect, it } from 'vitest';
import { createDeferred } from '../../async/deferred.ts';
import { isCancelled } from '../../errors.ts';
import { createFakeClock } from '../../testing/fake-clock.ts';
import { createTails } from './tails.ts';

function createWorld() {
  const clock = createFakeClock();
  const tails = createTails(clock);
  const add = (id: string) => {
    const ended = createDeferred<void>();
    const reasons: unknown[] = [];
    tails.add(id, { abort: (reason) => void reasons.push(reason), ended: ended.promise });
    return { ended, reasons };
  };
  return { clock, tails, add };
}

describe('the tail of an up', () => {
  it('is aborted by a named cancellation and waited for', async () => {
    const { clock, tails, add } = createWorld();
    const tail = add('a');
    let over = false;
    const ending = tails.end('a', 'superseded').then(() => (over = true));
    await clock.settle();
    expect([over, tail.reasons.map(isCancelled)]).toEqual([false, [true]]);
    tail.ended.resolve();
    await ending;
    expect(clock.pending()).toEqual([]);
  });

  it('is waited for 15 s at most', async () => {
    const { clock, tails, add } = createWorld();
    add('a');
    let over = false;
    const ending = tails.end('a', 'deleted').then(() => (over = true));
    await clock.advance(14_999);
    expect(over).toBe(false);
    await clock.advance(1);
    await ending;
    expect(clock.pending()).toEqual([]);
  });

  it('that has ended, or of another devcontainer, is not waited for', async () => {
    const { clock, tails, add } = createWorld();
    const gone = add('a');
    const other = add('b');
    gone.ended.resolve();
    await clock.settle();
    await tails.end('a', 'superseded');
    await tails.end('nobody', 'superseded');
    expect([gone.reasons, other.reasons]).toEqual([[], []]);
  });

  it('is aborted with all others at close, and drained without a deadline', async () => {
    const { clock, tails, add } = createWorld();
    const all = [add('a'), add('b')];
    tails.endAll('closing');
    expect(all.map(({ reasons }) => reasons.length)).toEqual([1, 1]);
    let drained = false;
    const draining = tails.drain().then(() => (drained = true));
    all[0]?.ended.resolve();
    await clock.settle();
    expect(drained).toBe(false);
    all[1]?.ended.resolve();
    await draining;
    expect(clock.pending()).toEqual([]);
  });
});
