import * as fc from 'fast-check';
import { expect, it } from 'vitest';

import { createLineSplitter } from './line-splitter.ts';

function split(chunks: readonly string[], maxLength = 1_000_000): [string, boolean][] {
  const lines: [string, boolean][] = [];
  const splitter = createLineSplitter(maxLength, (line, cut) => lines.push([line, cut]));
  for (const chunk of chunks) splitter.push(chunk);
  splitter.end();
  return lines;
}

it('gives the same lines however the text is cut', () => {
  const line = fc.string({ unit: fc.constantFrom('a', '{', '\r', 'ß', ' ') });
  fc.assert(
    fc.property(fc.array(line), fc.array(fc.nat(50)), fc.integer({ min: 1, max: 20 }), (lines, cuts, max) => {
      const text = lines.join('\n');
      const chunks: string[] = [];
      let at = 0;
      for (const cut of cuts) chunks.push(text.slice(at, (at += cut)));
      chunks.push(text.slice(at));
      expect(split(chunks)).toEqual(split([text]));
      expect(split(chunks, max)).toEqual(split([text], max));
    }),
  );
});

it('holds no more of a line than it may, and goes on with the next', () => {
  expect(split(['ab', 'cdef\nnext\n'], 4)).toEqual([
    ['abcd', true],
    ['next', false],
  ]);
});

it('gives a line far beyond 64 KiB whole', () => {
  const long = 'x'.repeat(300_000);
  const chunks = [long.slice(0, 65_536), long.slice(65_536), '\r\nend'];
  expect(split(chunks)).toEqual([
    [long, false],
    ['end', false],
  ]);
});
