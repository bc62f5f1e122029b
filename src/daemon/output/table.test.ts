import { fc, test as propertyTest } from '@fast-check/vitest';
import { describe, expect, test } from 'vitest';
import { displayWidth, truncateToWidth } from './display-width.ts';
import { renderTable } from './table.ts';

const COLUMNS = [{ title: 'NAME' }, { title: 'STATUS' }, { title: 'FOLDER', shrink: 1, minWidth: 10 }];

describe('renderTable', () => {
  test('aligns columns and leaves no trailing space', () => {
    expect(
      renderTable(
        COLUMNS,
        [
          ['a', 'running', '/x'],
          ['long-name', 'stopped', ''],
        ],
        undefined,
      ),
    ).toEqual(['NAME       STATUS   FOLDER', 'a          running  /x', 'long-name  stopped']);
  });

  test('cuts the columns that may shrink, so that lines fit the terminal', () => {
    const lines = renderTable(COLUMNS, [['app', 'running', '/home/someone/a/very/long/path']], 30);
    expect(lines[1]).toBe('app   running  /home/someone/…');
    expect(displayWidth(lines[1] ?? '')).toBe(30);
  });

  test('never cuts when the output is not a terminal', () => {
    const folder = '/x'.repeat(200);
    expect(renderTable(COLUMNS, [['a', 'b', folder]], undefined)[1]).toContain(folder);
  });

  test('counts East Asian characters as two columns', () => {
    const lines = renderTable(
      COLUMNS,
      [
        ['日本', 'x', '1'],
        ['abcd', 'y', '2'],
      ],
      undefined,
    );
    expect(lines[1]).toBe('日本  x       1');
    expect(lines[2]).toBe('abcd  y       2');
  });

  test('paints without disturbing the alignment', () => {
    const lines = renderTable(COLUMNS, [['a', { text: 'up', paint: (text) => `<${text}>` }, '/x']], undefined);
    expect(lines[1]).toBe('a     <up>      /x');
  });

  test('control characters of a cell never reach the terminal', () => {
    const lines = renderTable(COLUMNS, [['\u001b[2Jevil\nname', 'x\u0007', '/x']], undefined);
    expect(lines).toHaveLength(2);
    expect(lines[1]).toBe('evil name  x\ufffd      /x');
  });
});

test.each([
  ['abc', 3],
  ['日本', 4],
  ['e\u0301', 1],
  ['👩‍👩‍👧', 2],
  ['한글', 4],
  ['ｆｕｌｌ', 8],
  ['', 0],
])('displayWidth(%s) is %i', (text, width) => {
  expect(displayWidth(text)).toBe(width);
});

propertyTest.prop([fc.string({ unit: 'grapheme' }), fc.integer({ min: 1, max: 40 })])(
  'a truncated text never takes more columns than given',
  (text, columns) => {
    expect(displayWidth(truncateToWidth(text, columns))).toBeLessThanOrEqual(columns);
  },
);
