import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { OutputChunk } from '../agentcontainers/ports.ts';
import { OffsetEncoder } from './offset-encoder.ts';
import type { OutputLine } from './offset-encoder.ts';
import { toBytes } from './runtime-wire.ts';

const bytesOf = (line: OutputLine): Buffer => toBytes(line.data, line.encoding);

function encode(chunks: readonly OutputChunk[]): OutputLine[] {
  const encoder = new OffsetEncoder();
  return [...chunks.flatMap((chunk) => encoder.push(chunk)), ...encoder.end()];
}

test('a character that is split between two chunks comes whole, at the offset of its first byte', () => {
  const euro = Buffer.from('a€');
  const chunks = [
    { stream: 'stdout', offset: 7, bytes: euro.subarray(0, 2) },
    { stream: 'stdout', offset: 9, bytes: euro.subarray(2) },
  ] as const;
  expect(encode(chunks)).toEqual([
    { type: 'stdout', offset: 7, data: 'a' },
    { type: 'stdout', offset: 8, data: '€' },
  ]);
});

test('what is held back goes before the other stream, and before a gap', () => {
  const half = Buffer.from('€').subarray(0, 2);
  const chunks = [
    { stream: 'stdout', offset: 0, bytes: half },
    { stream: 'stderr', offset: 2, bytes: half },
    { stream: 'stderr', offset: 9, bytes: Buffer.from('x') },
  ] as const;
  expect(encode(chunks).map(({ type, offset, encoding }) => [type, offset, encoding])).toEqual([
    ['stdout', 0, 'base64'],
    ['stderr', 2, 'base64'],
    ['stderr', 9, undefined],
  ]);
});

const piece = fc.record({
  stream: fc.constantFrom('stdout' as const, 'stderr' as const),
  gap: fc.nat({ max: 1 }),
  bytes: fc.oneof(
    fc.uint8Array({ maxLength: 6 }),
    fc.string({ unit: 'grapheme', maxLength: 4 }).map((text) => new Uint8Array(Buffer.from(text))),
  ),
});

test('whatever comes, each byte is in one line, in order, at its own offset and in its own stream', () => {
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
      let offset = 0;
      const chunks = pieces.map(({ stream, gap, bytes }) => {
        const at = offset + gap;
        offset = at + bytes.length;
        return { stream, offset: at, bytes };
      });
      const given = chunks.flatMap((chunk) =>
        [...chunk.bytes].map((byte, index) => [chunk.stream, chunk.offset + index, byte]),
      );
      const told = encode(chunks).flatMap((line) =>
        [...bytesOf(line)].map((byte, index) => [line.type, line.offset + index, byte]),
      );
      expect(told).toEqual(given);
    }),
  );
});
