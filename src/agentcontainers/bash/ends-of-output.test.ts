import { fc, test } from '@fast-check/vitest';
import { describe, expect, it } from 'vitest';
import { createEndsOfOutput } from './ends-of-output.ts';

const ends = (pieces: readonly Uint8Array[], head = 16, tail = 8) => {
  const kept = createEndsOfOutput(head, tail);
  for (const piece of pieces) kept.add(piece);
  return kept.text();
};

describe('the ends of an output', () => {
  it('are all of it while it is short', () => {
    expect(ends([Buffer.from('ab'), Buffer.from('cd')])).toEqual({ text: 'abcd', totalBytes: 4, omittedBytes: 0 });
    expect(ends([Buffer.alloc(24, 'x')])).toEqual({ text: 'x'.repeat(24), totalBytes: 24, omittedBytes: 0 });
    expect(ends([])).toEqual({ text: '', totalBytes: 0, omittedBytes: 0 });
  });

  it('are its beginning and its end, and say how much is missing in between', () => {
    expect(ends([Buffer.from(`${'a'.repeat(16)}${'b'.repeat(100)}${'c'.repeat(8)}`)])).toEqual({
      text: `${'a'.repeat(16)}\n[100 bytes left out]\n${'c'.repeat(8)}`,
      totalBytes: 124,
      omittedBytes: 100,
    });
  });

  test.prop([fc.string({ unit: 'binary', maxLength: 80 }), fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 })])(
    'never cut a character, however it arrives, and count every byte',
    (text, sizes) => {
      const bytes = Buffer.from(text, 'utf8');
      const whole = bytes.toString('utf8');
      const pieces: Uint8Array[] = [];
      for (let at = 0, index = 0; at < bytes.length; index++) {
        const size = sizes[index % sizes.length] ?? 1;
        pieces.push(bytes.subarray(at, at + size));
        at += size;
      }
      const kept = ends(pieces);
      expect(kept.totalBytes).toBe(bytes.length);
      if (bytes.length <= 24) {
        expect(kept).toMatchObject({ text: whole, omittedBytes: 0 });
        return;
      }
      const [first = '', last = ''] = kept.text.split(`\n[${kept.omittedBytes} bytes left out]\n`);
      expect(whole.startsWith(first)).toBe(true);
      expect(whole.endsWith(last)).toBe(true);
      expect(Buffer.byteLength(first) + Buffer.byteLength(last) + kept.omittedBytes).toBe(bytes.length);
      expect(Buffer.byteLength(first)).toBeGreaterThan(12);
    },
  );
});
