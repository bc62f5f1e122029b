import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createFakeClock } from '../../testing/fake-clock.ts';
import type { FakeClock } from '../../testing/fake-clock.ts';
import type { Runtime } from './runtime.ts';
import { untilState } from './until-state.ts';

let clock: FakeClock;
let rt: Runtime;
let commit: () => void;
let listeners: Set<() => void>;

beforeEach(() => {
  clock = createFakeClock();
  listeners = new Set();
  commit = () => {
    for (const listener of listeners) listener();
  };
  const onCommit = (listener: () => void) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  };
  rt = { store: { onCommit }, limits: { injectTimeoutMs: 5_000 }, ports: { clock } } as unknown as Runtime;
});
afterEach(() => {
  expect(listeners.size).toBe(0);
  expect(clock.pending()).toEqual([]);
});

describe('waiting on the state', () => {
  it('is over at once where it is so already', async () => {
    expect(await untilState(rt, 'Waiting', undefined, () => 0)).toBe(0);
  });

  it('is over with the commit that makes it so', async () => {
    let state: string | undefined;
    const waiting = untilState(rt, 'Waiting', undefined, () => state);
    commit();
    state = 'there';
    commit();
    state = 'later';
    expect(await waiting).toBe('there');
  });

  it('is over with the commit after which it cannot become so', async () => {
    let isOver = false;
    const waiting = untilState(rt, 'Waiting', undefined, () => {
      if (isOver) throw new Error('gone');
      return undefined;
    });
    isOver = true;
    commit();
    await expect(waiting).rejects.toThrow('gone');
  });

  it('is over when its time is', async () => {
    const waiting = untilState(rt, 'Waiting', undefined, () => undefined).catch((error: unknown) => error);
    await clock.run(5_000);
    expect(await waiting).toMatchObject({ code: 'timeout', message: 'Waiting failed: no answer within 5 s.' });
  });

  it('is over when its caller leaves', async () => {
    const leaving = new AbortController();
    const waiting = untilState(rt, 'Waiting', leaving.signal, () => undefined);
    leaving.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
  });
});
