import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { OutputEncoder } from './output-encoder.ts';
import type { EncodedOutput } from './output-encoder.ts';

function decode(pieces: readonly EncodedOutput[]): Buffer {
  return Buffer.concat(pieces.map(({ data, encoding }) => Buffer.from(data, encoding ?? 'utf8')));
}

function encodeAll(chunks: readonly Uint8Array[]): EncodedOutput[] {
  const encoder = new OutputEncoder();
  return [...chunks.flatMap((chunk) => encoder.push(chunk)), ...encoder.end()];
}

test('whatever the bytes and however they are cut, none is lost or changed', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 20 })), (chunks) => {
      expect(decode(encodeAll(chunks))).toEqual(Buffer.concat(chunks));
    }),
    { numRuns: 500 },
  );
});

test('text stays text, wherever it is cut', () => {
  const anyText = fc.string({ unit: 'binary', maxLength: 20 });
  fc.assert(
    fc.property(anyText, fc.array(fc.nat({ max: 80 })), (text, cuts) => {
      const bytes = Buffer.from(text);
      const at = [0, ...cuts.map((cut) => Math.min(cut, bytes.length)).sort((a, b) => a - b), bytes.length];
      const chunks = at.slice(1).map((end, index) => bytes.subarray(at[index], end));
      const pieces = encodeAll(chunks);
      expect(pieces.every((piece) => piece.encoding === undefined)).toBe(true);
      expect(pieces.map((piece) => piece.data).join('')).toBe(bytes.toString());
    }),
    { numRuns: 500 },
  );
});

test('a byte order mark is kept', () => {
  expect(encodeAll([Buffer.from('\ufeffx')])).toEqual([{ data: '\ufeffx' }]);
});

test('a large chunk becomes lines of bounded size', () => {
  const chunk = Buffer.from('€'.repeat(100_000));
  const pieces = encodeAll([chunk]);
  expect(pieces.length).toBeGreaterThan(4);
  expect(Math.max(...pieces.map((piece) => Buffer.byteLength(piece.data)))).toBeLessThanOrEqual(64 * 1024 + 3);
  expect(decode(pieces).equals(chunk)).toBe(true);
});
