import { fc, test as propertyTest } from '@fast-check/vitest';
import { expect, test } from 'vitest';
import { lineDiff } from './line-diff.ts';

const MARKS = { added: '+', removed: '-', same: ' ', gap: '…' } as const;
const shown = (before: string, after: string): string[] =>
  lineDiff(before, after).map(({ kind, text }) => MARKS[kind] + text);

test.each([
  ['nothing', '', '', []],
  ['a line that changed', 'a\nb\nc\n', 'a\nx\nc\n', [' a', '-b', '+x', ' c']],
  ['a line that came', 'a\nc', 'a\nb\nc', [' a', '+b', ' c']],
  ['a line that went', 'a\nb\nc', 'a\nc', [' a', '-b', ' c']],
  ['everything new', '', 'a\nb', ['+a', '+b']],
  ['everything gone', 'a', '', ['-a']],
  ['only a line feed at the end', 'a', 'a\n', ['…']],
])('%s', (_name, before, after, expected) => {
  expect(shown(before, after)).toEqual(expected);
});

test('of unchanged lines only those beside a change are shown', () => {
  const lines = Array.from({ length: 30 }, (_, index) => String(index));
  const changed = lines.with(10, 'x').with(20, 'y');
  expect(shown(lines.join('\n'), changed.join('\n'))).toEqual([
    ...['…', ' 8', ' 9', '-10', '+x', ' 11', ' 12', '…', ' 18', ' 19', '-20', '+y', ' 21', ' 22', '…'],
  ]);
});

test('texts that are too long to be compared are shown whole, in little time', () => {
  const many = (mark: string): string => Array.from({ length: 20_000 }, (_, index) => `${mark}${index}`).join('\n');
  expect(shown(many('a'), many('b'))).toHaveLength(40_000);
});

const text = fc.array(fc.constantFrom('a', 'b', 'c', ''), { maxLength: 5 }).map((lines) => lines.join('\n'));
propertyTest.prop([text, text])('what was removed and what was added is all of the difference', (before, after) => {
  const diff = lineDiff(before, after);
  const ends = (lines: string): string[] => (lines === '' ? [] : lines.replace(/\n$/, '').split('\n'));
  // Short enough that nothing is far from a change, if there is one.
  if (!diff.some(({ kind }) => kind === 'added' || kind === 'removed')) {
    expect(ends(before)).toEqual(ends(after));
    return;
  }
  const side = (kind: 'added' | 'removed'): string[] =>
    diff.filter((line) => line.kind === kind || line.kind === 'same').map((line) => line.text);
  const whole = diff.every(({ kind }) => kind !== 'gap');
  if (whole) expect([side('removed'), side('added')]).toEqual([ends(before), ends(after)]);
});
