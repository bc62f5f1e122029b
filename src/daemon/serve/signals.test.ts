import { EventEmitter } from 'node:events';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { shutdownOnSignal } from './signals.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function setUp(close: () => Promise<void>) {
  const source = new EventEmitter();
  const said: string[] = [];
  const exits: number[] = [];
  let closes = 0;
  const done = shutdownOnSignal(
    {
      graceMs: 10_000,
      close: () => {
        closes++;
        return close();
      },
      say: (message) => said.push(message),
      exit: (code) => exits.push(code),
    },
    source,
  );
  return { source, said, exits, done, closes: () => closes };
}

test.each(['SIGTERM', 'SIGINT', 'SIGHUP'])('%s closes gracefully and ends with 0', async (signal) => {
  const { source, done, exits, said } = setUp(() => Promise.resolve());
  source.emit(signal);
  expect(await done).toBe(0);
  expect(exits).toEqual([]);
  expect(said[0]).toContain(`${signal}: closing`);
});

test.each([
  ['SIGTERM', 143],
  ['SIGINT', 130],
])('a second signal, %s, ends at once with %i', (signal, code) => {
  const { source, exits, closes } = setUp(() => new Promise(() => {}));
  source.emit('SIGTERM');
  expect(exits).toEqual([]);
  source.emit(signal);
  expect(exits).toEqual([code]);
  expect(closes()).toBe(1);
});

test('an end that takes longer than ten seconds is forced, and said so', () => {
  const { source, exits, said } = setUp(() => new Promise(() => {}));
  source.emit('SIGTERM');
  vi.advanceTimersByTime(9_999);
  expect(exits).toEqual([]);
  vi.advanceTimersByTime(1);
  expect(exits).toEqual([1]);
  expect(said.at(-1)).toContain('longer than 10 s');
});

test('a fault closes gracefully too, but ends with 1', async () => {
  const { source, done, said } = setUp(() => Promise.resolve());
  source.emit('uncaughtException', new Error('boom'));
  expect(await done).toBe(1);
  expect(said[0]).toContain('boom');
});

test('closing that fails ends with 1', async () => {
  const { source, done } = setUp(() => Promise.reject(new Error('x')));
  source.emit('SIGTERM');
  expect(await done).toBe(1);
});
