import { test as property, fc } from '@fast-check/vitest';
import { expect, test } from 'vitest';
import { createDetachKeys } from './detach-keys.ts';
import { createTerminalModes } from './terminal-modes.ts';

function keys(isWatching = false) {
  const seen: string[] = [];
  let left = 0;
  let late: (() => void) | undefined;
  const made = createDetachKeys({
    pass: (bytes) => void seen.push(Buffer.from(bytes).toString('latin1')),
    leave: () => void left++,
    after(_ms, callback) {
      late = callback;
      return () => (late = undefined);
    },
    isWatching,
  });
  const wait = (): void => {
    const due = late;
    late = undefined;
    due?.();
  };
  const push = (...texts: string[]): void => texts.forEach((text) => made.push(Buffer.from(text, 'latin1')));
  return { push, stop: made.stop, text: () => seen.join(''), left: () => left, wait };
}

test.each([
  [['ls\r'], 'ls\r', 0],
  [['\u0010\u0011'], '', 1],
  [['\u0010', '\u0011'], '', 1],
  [['a\u0010', '\u0011b'], 'a', 1],
  [['\u0010', 'x'], '\u0010x', 0],
  [['\u0010', '\u0010', '\u0011'], '\u0010', 1],
  [['\u0011\u0010x'], '\u0011\u0010x', 0],
  [['\u0003'], '\u0003', 0],
])('of %j passed on is %j, and it leaves %i times', (typed, passed, times) => {
  const { push, text, left } = keys();
  push(...typed);
  expect([text(), left()]).toEqual([passed, times]);
});

test('a Ctrl-P alone is passed on after a while, once', () => {
  const { push, wait, text, left } = keys();
  push('\u0010');
  expect(text()).toBe('');
  wait();
  wait();
  push('\u0011');
  expect([text(), left()]).toEqual(['\u0010\u0011', 0]);
});

test('who only watches passes nothing on, and Ctrl-C leaves', () => {
  const { push, text, left } = keys(true);
  push('abc', '\u0010');
  expect([text(), left()]).toEqual(['', 0]);
  push('\u0003');
  expect([text(), left()]).toEqual(['', 1]);
});

property.prop([fc.array(fc.string({ unit: fc.constantFrom('a', '\u0010', '\u0003') }), { maxLength: 20 })])(
  'without the detaching key every key is passed on, in order, however it comes',
  (pieces) => {
    const { push, wait, text } = keys();
    push(...pieces.filter((piece) => piece !== ''));
    wait();
    expect(text()).toBe(pieces.join(''));
  },
);

function restored(...pieces: string[]): string {
  const modes = createTerminalModes();
  for (const piece of pieces) modes.watch(Buffer.from(piece, 'latin1'));
  return modes.restore();
}

test.each([
  [['plain \u00ff text'], ''],
  [['\u001b[31mred'], '\u001b[0m'],
  [['\u001b[?1049h\u001b[?25l'], '\u001b[?1049l\u001b[?25h\u001b[0m'],
  [['\u001b[?1049h', 'x', '\u001b[?1049l'], '\u001b[0m'],
  [['\u001b[?1000;1006h'], '\u001b[?1000l\u001b[?1006l\u001b[0m'],
  [['\u001b[?12h'], '\u001b[0m'],
  [['\u001b[?2004h\u001bc'], '\u001b[0m'],
  [['\u001b=', '\u001b>'], ''],
  [['\u001b='], '\u001b>'],
])('after %j a terminal is put back by %j', (pieces, expected) => {
  expect(restored(...pieces)).toBe(expected);
});

property.prop([fc.array(fc.nat({ max: 30 }), { maxLength: 6 })])('sequences are seen wherever they are cut', (cuts) => {
  const text = 'a\u001b[?1049hb\u001b[?25lc\u001b[?2004h';
  const points = [0, ...cuts.map((cut) => Math.min(cut, text.length)).toSorted((a, b) => a - b), text.length];
  const pieces = points.slice(1).map((end, index) => text.slice(points[index], end));
  expect(restored(...pieces)).toBe(restored(text));
});
