import { test as propertyTest, fc } from '@fast-check/vitest';
import { describe, expect, test } from 'vitest';
import { textLines } from './text-lines.ts';

async function lines(chunks: readonly Uint8Array[], maxBytes = 1_000): Promise<{ found: string[]; tooLong: number }> {
  const found: string[] = [];
  let tooLong = 0;
  async function* source() {
    yield* chunks;
  }
  for await (const line of textLines(source(), maxBytes, () => tooLong++)) found.push(line);
  return { found, tooLong };
}

describe('lines out of chunks', () => {
  const words = fc.array(
    fc.string({ unit: 'grapheme', maxLength: 12 }).map((text) => text.replaceAll('\n', ' ').trim()),
  );

  propertyTest.prop([words, fc.integer({ min: 1, max: 9 })])(
    'are the same whatever the chunks are',
    async (texts, size) => {
      const bytes = Buffer.from(texts.join('\n'));
      const chunks: Buffer[] = [];
      for (let at = 0; at < bytes.length; at += size) chunks.push(bytes.subarray(at, at + size));
      const { found } = await lines(chunks);
      expect(found).toEqual(texts.filter((text) => text !== ''));
    },
  );

  test('one that is too long is left out and reported, and those around it stay', async () => {
    const text = `short\n${'x'.repeat(50)}\nalso short\n${'y'.repeat(50)}`;
    expect(
      await lines(
        [...Buffer.from(text)].map((byte) => Uint8Array.of(byte)),
        20,
      ),
    ).toEqual({
      found: ['short', 'also short'],
      tooLong: 2,
    });
  });
});
