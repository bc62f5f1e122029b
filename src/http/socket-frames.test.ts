import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { toOutputFrame, parseJsonFrame, toCloseReason } from './socket-frames.ts';

test('output is one byte for its stream, then the bytes', () => {
  const bytes = Buffer.from([0, 1, 255]);
  expect(toOutputFrame({ stream: 'stdout', offset: 5, bytes })).toEqual(Buffer.from([1, 0, 1, 255]));
  expect(toOutputFrame({ stream: 'stderr', offset: 5, bytes: new Uint8Array() })).toEqual(Buffer.from([2]));
});

test('a close reason fits, keeps whole characters, and says as much as fits', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 200 }), (text) => {
      const reason = toCloseReason(text);
      expect(Buffer.byteLength(reason)).toBeLessThanOrEqual(123);
      expect(text.startsWith(reason)).toBe(true);
      expect(Buffer.from(reason).toString()).toBe(reason);
      if (Buffer.byteLength(text) > 123) expect(Buffer.byteLength(reason)).toBeGreaterThan(119);
      else expect(reason).toBe(text);
    }),
  );
});

test('JSON comes back as it was, anything else is refused with 1007', () => {
  fc.assert(
    fc.property(fc.json(), (json) => {
      expect(parseJsonFrame(Buffer.from(json))).toEqual(JSON.parse(json));
    }),
  );
  for (const bytes of [Buffer.from([0xff]), Buffer.from('{'), Buffer.alloc(0), Buffer.from('"\ud800"', 'utf16le')]) {
    expect(() => parseJsonFrame(bytes)).toThrow(expect.objectContaining({ code: 1007 }));
  }
});
