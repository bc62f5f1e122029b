import { fc, test as property } from '@fast-check/vitest';
import { describe, expect, it } from 'vitest';
import { createOutputTail } from './output-tail.ts';
import { createLineSplitter } from './split-lines.ts';

function split(chunks: Uint8Array[], maxBytes = 100): string[] {
  const lines: string[] = [];
  const splitter = createLineSplitter(maxBytes, (line) => lines.push(Buffer.from(line).toString()));
  for (const chunk of chunks) splitter.push(chunk);
  splitter.end();
  return lines;
}

describe('createLineSplitter', () => {
  property.prop([fc.string({ unit: fc.constantFrom('a', 'ä', '\n', '€') }), fc.array(fc.nat(20))])(
    'gives the same lines however the bytes are cut',
    (text, cuts) => {
      const bytes = Buffer.from(text);
      const chunks: Uint8Array[] = [];
      let at = 0;
      for (const cut of cuts) {
        chunks.push(bytes.subarray(at, at + cut));
        at += cut;
      }
      chunks.push(bytes.subarray(at));
      const expected = text.split('\n');
      if (expected.at(-1) === '') expected.pop();
      expect(split(chunks, 10_000)).toEqual(expected);
    },
  );

  it('keeps the beginning of a line that is too long, and goes on with the next one', () => {
    expect(split([Buffer.from(`${'x'.repeat(500)}\nnext\n`)])).toEqual(['x'.repeat(100), 'next']);
    const pieces = Array.from({ length: 1_000 }, () => Buffer.from('yyyyyyyyyy'));
    expect(split([...pieces, Buffer.from('\nnext')])).toEqual(['y'.repeat(100), 'next']);
  });
});

describe('createOutputTail', () => {
  it('keeps the last 40 lines and 8,192 characters', () => {
    const tail = createOutputTail([]);
    for (let line = 1; line <= 100; line++) tail.add(Buffer.from(`line ${line}`));
    expect(tail.text().split('\n')).toHaveLength(40);
    expect(tail.text()).toMatch(/^line 61\n[^]*line 100$/);
    for (let line = 1; line <= 100; line++) tail.add(Buffer.from('z'.repeat(5_000)));
    expect(tail.text()).toHaveLength(8_192);
  });

  it('is safe to show: no escape sequences, control or direction characters, no broken bytes, no secrets', () => {
    const tail = createOutputTail(['s3cret-value']);
    tail.add(Buffer.from('\u001b[31mred\u001b[0m \u001b]0;title\u0007 \r\b\u202eback'));
    tail.add(Buffer.from([0xff, 0xfe, 0x00, 0x41]));
    tail.add(Buffer.from('token=s3cret-value, again s3cret-value'));
    tail.add(Buffer.from('   '));
    expect(tail.text()).toBe('red   back\n\ufffd\ufffd A\ntoken=[redacted], again [redacted]\n');
    expect(tail.lastLine()).toBe('token=[redacted], again [redacted]');
  });
});
