import { fc, test } from '@fast-check/vitest';
import { describe, expect, it } from 'vitest';
import { createFrameMeter } from './frame-meter.ts';

function http2Frame(type: number, length: number, flags = 0): Buffer {
  const frame = Buffer.alloc(9 + length, 0xff);
  frame.writeUIntBE(length, 0, 3);
  frame.writeUInt8(type, 3);
  frame.writeUInt8(flags, 4);
  frame.writeUInt32BE(1, 5);
  return frame;
}
function metered() {
  let floods = 0;
  return { meter: createFrameMeter(() => floods++), floods: () => floods };
}
const IDLE = http2Frame(8, 4);

describe('the meter of frames', () => {
  const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
  const HEADERS = 1;

  it('lets ten thousand frames without content pass, and as many as what was sent can earn', () => {
    const { meter, floods } = metered();
    meter.sent(preface);
    for (let frame = 0; frame < 10_000; frame++) meter.received(IDLE);
    expect(floods()).toBe(0);
    meter.sent(http2Frame(HEADERS, 30));
    for (let frame = 0; frame < 8; frame++) meter.received(IDLE);
    expect(floods()).toBe(0);
    meter.received(IDLE);
    expect(floods()).toBe(1);
  });

  it.each([
    ['content', http2Frame(0, 10_240), 18],
    ['a ping', http2Frame(6, 8, 0), 8],
    ['the answer to a ping', http2Frame(6, 8, 1), 0],
    ['settings', http2Frame(4, 6), 0],
    ['a window', http2Frame(8, 4), 0],
  ])('earns by %s what that can be answered with', (_, sent, earned) => {
    const { meter, floods } = metered();
    meter.sent(Buffer.concat([preface, sent]));
    for (let frame = 0; frame < 10_000 + earned; frame++) meter.received(IDLE);
    expect(floods()).toBe(0);
    meter.received(IDLE);
    expect(floods()).toBe(1);
  });

  it('never minds content', () => {
    const { meter, floods } = metered();
    for (let frame = 0; frame < 20_000; frame++) meter.received(http2Frame(0, 1));
    expect(floods()).toBe(0);
  });

  it('minds content that is padded, as no agent sends it: there may be nothing but padding', () => {
    const { meter, floods } = metered();
    const padded = http2Frame(0, 256, 8);
    for (let frame = 0; frame < 10_000; frame++) meter.received(padded);
    expect(floods()).toBe(0);
    meter.received(padded);
    expect(floods()).toBe(1);
  });

  const frames = fc.array(fc.tuple(fc.integer({ min: 0, max: 20 }), fc.nat(50)), { minLength: 1, maxLength: 30 });
  test.prop([frames, fc.array(fc.nat(), { maxLength: 40 })])('counts the same wherever bytes are cut', (sent, cuts) => {
    const bytes = Buffer.concat(sent.map(([type, length]) => http2Frame(type, length)));
    const idle = sent.filter(([type]) => type !== 0).length;
    const { meter, floods } = metered();
    for (let frame = 0; frame < 10_000 - idle; frame++) meter.received(IDLE);
    const places = [0, ...cuts.map((place) => place % bytes.length).sort((a, b) => a - b), bytes.length];
    places.slice(1).forEach((end, index) => meter.received(bytes.subarray(places[index], end)));
    expect(floods()).toBe(0);
    meter.received(IDLE);
    expect(floods()).toBe(1);
  });
});
