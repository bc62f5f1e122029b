import { fc, test } from '@fast-check/vitest';
import { describe, expect, it } from 'vitest';
import {
  FRAME,
  MAX_FRAME_BYTES,
  MAX_JSON_FRAME_BYTES,
  createFrameParser,
  encodeFrame,
  encodeFrames,
  encodeJsonFrame,
} from './frames.ts';
import type { Frame, FrameKind } from './frames.ts';

const kinds = fc.constantFrom<FrameKind>(FRAME.json, FRAME.stdout, FRAME.stderr);
const frames = fc.array(fc.record({ kind: kinds, payload: fc.uint8Array({ maxLength: 40 }) }), { maxLength: 8 });

function parse(chunks: readonly Uint8Array[]): { frames: Frame[]; isBetween: boolean } {
  const found: Frame[] = [];
  const parser = createFrameParser(({ kind, payload }) => found.push({ kind, payload: Buffer.from(payload) }));
  for (const chunk of chunks) parser.push(chunk);
  return { frames: joined(found), isBetween: parser.isBetween };
}

/** Output comes in pieces, as it is cut: all of one kind in a row as one. */
function joined(found: readonly Frame[]): Frame[] {
  const whole: Frame[] = [];
  for (const { kind, payload } of found) {
    const last = whole.at(-1);
    if (kind === FRAME.json || last?.kind !== kind) whole.push({ kind, payload });
    else whole.splice(-1, 1, { kind, payload: Buffer.concat([last.payload, payload]) });
  }
  return whole;
}

function cut(bytes: Buffer, at: readonly number[]): Buffer[] {
  const places = [0, ...at.map((place) => place % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  return places.slice(1).map((end, index) => bytes.subarray(places[index], end));
}

describe('frames', () => {
  test.prop([frames, fc.array(fc.nat(), { maxLength: 20 })])(
    'come out as they went in, wherever the bytes are cut',
    (sent, at) => {
      const bytes = Buffer.concat(sent.map(({ kind, payload }) => encodeFrame(kind, payload)));
      const expected = joined(sent.map(({ kind, payload }) => ({ kind, payload: Buffer.from(payload) })));
      expect(parse(cut(bytes, at))).toEqual({ frames: expected, isBetween: true });
      expect(parse(Array.from(bytes, (byte) => Uint8Array.of(byte)))).toEqual({ frames: expected, isBetween: true });
    },
  );

  it('are found at every single cut of a stream', () => {
    const bytes = Buffer.concat([
      encodeJsonFrame({ a: 'ä' }),
      encodeFrame(FRAME.stdout, Buffer.alloc(0)),
      encodeFrame(FRAME.stderr, Buffer.from('xyz')),
    ]);
    const whole = parse([bytes]);
    expect(whole.frames.map(({ kind, payload }) => `${kind} ${payload.toString()}`)).toEqual([
      '0 {"a":"ä"}',
      '1 ',
      '2 xyz',
    ]);
    for (let at = 0; at <= bytes.length; at++)
      expect(parse([bytes.subarray(0, at), bytes.subarray(at)])).toEqual(whole);
    for (let at = 1; at < 5; at++) expect(parse([bytes.subarray(0, at)]).isBetween).toBe(false);
  });

  it('of output are passed on as they come, those of JSON when they are whole', () => {
    const found: string[] = [];
    const parser = createFrameParser(({ kind, payload }) => found.push(`${kind} ${payload.toString()}`));
    const json = encodeJsonFrame({});
    for (const part of [
      encodeFrame(FRAME.stdout, Buffer.from('abc')).subarray(0, 7),
      Buffer.from('c'),
      json.subarray(0, 6),
    ])
      parser.push(part);
    expect([found, parser.isBetween]).toEqual([['1 ab', '1 c'], false]);
    parser.push(json.subarray(6));
    expect([found, parser.isBetween]).toEqual([['1 ab', '1 c', '0 {}'], true]);
  });

  test.prop([fc.uint8Array({ maxLength: 200 }), fc.array(fc.nat(), { maxLength: 5 })])(
    'that are none are refused or still incomplete, the same for every cut',
    (bytes, at) => {
      const outcome = (chunks: readonly Uint8Array[]): unknown => {
        try {
          return parse(chunks);
        } catch (error) {
          return (error as Error).message;
        }
      };
      expect(outcome(cut(Buffer.from(bytes), at))).toEqual(outcome([bytes]));
    },
  );

  it.each([
    ['of an unknown kind', [3, 0, 0, 0, 0], 'there is no kind of frame 3'],
    ['of output beyond the limit', [1, 0, 1, 0, 1], `a frame of ${MAX_FRAME_BYTES + 1} bytes is too large`],
    ['of JSON beyond the limit', [0, 0, 64, 0, 1], `a frame of ${MAX_JSON_FRAME_BYTES + 1} bytes is too large`],
    ['of four gigabytes', [2, 255, 255, 255, 255], 'a frame of 4294967295 bytes is too large'],
  ])('%s are refused by their header alone', (_, header, message) => {
    expect(() => parse([Uint8Array.from(header)])).toThrow(message);
  });

  test.prop([fc.integer({ min: 0, max: 3 * MAX_FRAME_BYTES + 1 })], { numRuns: 20 })(
    'hold any number of bytes',
    (length) => {
      const bytes = Buffer.alloc(length, 7);
      const sent = [...encodeFrames(FRAME.stdout, bytes)];
      expect(Buffer.concat(parse(sent).frames.map(({ payload }) => payload)).equals(bytes)).toBe(true);
      expect(sent.every(({ length: size }) => size > 5 && size <= 5 + MAX_FRAME_BYTES)).toBe(true);
    },
  );
});
