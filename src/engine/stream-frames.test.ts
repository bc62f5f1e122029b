import { test as propertyTest, fc } from '@fast-check/vitest';
import { describe, expect, test } from 'vitest';
import { createFrameParser, isFrameHeader } from './stream-frames.ts';
import type { OutputName } from './stream-frames.ts';

function frame(stream: number, content: Uint8Array | string): Buffer {
  const body = Buffer.from(content);
  const header = Buffer.from([stream, 0, 0, 0, 0, 0, 0, 0]);
  header.writeUInt32BE(body.length, 4);
  return Buffer.concat([header, body]);
}

function parse(chunks: readonly Buffer[]): Record<OutputName, string> {
  const seen = { stdout: Buffer.alloc(0), stderr: Buffer.alloc(0) };
  const parser = createFrameParser((name, piece) => (seen[name] = Buffer.concat([seen[name], piece])));
  for (const chunk of chunks) parser.push(chunk);
  return { stdout: seen.stdout.toString('hex'), stderr: seen.stderr.toString('hex') };
}

describe('the framing of two outputs', () => {
  const frames = fc.array(fc.record({ stream: fc.constantFrom(1, 2), content: fc.uint8Array({ maxLength: 40 }) }));
  const cuts = fc.array(fc.nat({ max: 60 }), { maxLength: 200 });

  propertyTest.prop([frames, cuts])('is undone the same way wherever the connection cuts it', (parts, lengths) => {
    const bytes = Buffer.concat(parts.map(({ stream, content }) => frame(stream, content)));
    const chunks: Buffer[] = [];
    let at = 0;
    for (const length of lengths) chunks.push(bytes.subarray(at, (at += length)));
    chunks.push(bytes.subarray(at));
    const contents = (wanted: number) =>
      Buffer.concat(parts.filter(({ stream }) => stream === wanted).map(({ content }) => content)).toString('hex');
    expect(parse(chunks)).toEqual({ stdout: contents(1), stderr: contents(2) });
  });

  test('errors of the engine itself come on standard error', () => {
    expect(parse([frame(3, 'x')])).toEqual({ stdout: '', stderr: '78' });
  });

  test('a frame of four gigabytes is announced without any memory being taken for it', () => {
    const header = Buffer.from([1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]);
    expect(parse([header, Buffer.from('a')])).toEqual({ stdout: '61', stderr: '' });
  });

  test.each(['plain text, no frames', '\u0001\u0001 xxxxxxxx'])('%j is refused', (text) => {
    expect(() => parse([Buffer.from(text)])).toThrow('without its framing');
    expect(isFrameHeader(Buffer.from(text))).toBe(false);
  });
});
