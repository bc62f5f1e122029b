import type { ClientHttp2Stream } from 'node:http2';
import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createItemPipe } from '../../async/item-pipe.ts';
import type { ItemPipe } from '../../async/item-pipe.ts';
import type { OutputChunk } from '../../agentcontainers/ports.ts';
import type { Clock } from '../../clock/clock.ts';
import { followOutput } from './follow-output.ts';
import { FRAME, encodeFrame, encodeJsonFrame } from './frames.ts';
import type { ResidentConnection } from './resident-connection.ts';
import type { ResidentLink } from './resident-link.ts';
import { wireProcess } from '../../../test/support/resident/wire-process.ts';

// Of an output that nobody reads, or reads late.

const PROCESS = wireProcess();
const JSON_FRAME = encodeJsonFrame({ process: PROCESS });

let body: PassThrough;
let pipe: ItemPipe<OutputChunk>;
let pushed: OutputChunk[];
let told: number;
let followed: Promise<void>;
let fire: (() => unknown) | undefined;
let msPerLook: number;

beforeEach(() => {
  body = new PassThrough({ readableHighWaterMark: 1_048_576, writableHighWaterMark: 1_048_576 });
  pushed = [];
  told = 0;
  msPerLook = 0;
  fire = undefined;
  let now = 0;
  let resume = (): void => {};
  const real = createItemPipe<OutputChunk>(() => resume());
  pipe = {
    ...real,
    push(item, bytes) {
      pushed.push(item);
      return real.push(item, bytes);
    },
  };
  const clock: Clock = {
    now: () => (now += msPerLook),
    afterFunc(_ms, fn) {
      fire = fn;
      return {
        stop() {
          fire = undefined;
          return true;
        },
      };
    },
    tickerFunc: () => ({ stop: () => false }),
  };
  const connection = { isOpen: true, fail: (reason: string) => new Error(reason) } as unknown as ResidentConnection;
  followed = followOutput({
    link: { clock, ready: async () => connection, hello: { instance: 'abcd1234' } } as unknown as ResidentLink,
    doing: 'Reading',
    id: 'abcd-1',
    offset: 0,
    isFollowing: true,
    open: async () => ({ headers: {}, isEmpty: false, body: body as unknown as ClientHttp2Stream }),
    onProcess: () => void told++,
    pipe,
    onRoom(more) {
      resume = more;
    },
    isComplete: () => true,
    signal: new AbortController().signal,
  });
});
afterEach(async () => {
  fire = undefined;
  pipe.discard();
  body.destroy();
  await followed.catch(() => {});
});

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
async function send(bytes: Uint8Array): Promise<void> {
  body.write(bytes);
  await turn();
  await turn();
}

describe('output', () => {
  it('of no bytes is none that an agent sends', async () => {
    await send(JSON_FRAME);
    const over = followed.catch((error: unknown) => error);
    await send(encodeFrame(FRAME.stdout, Buffer.alloc(0)));
    expect(await over).toMatchObject({ message: 'output has no bytes' });
    expect(pushed).toEqual([]);
  });

  it('in single bytes is held up before it takes much memory', async () => {
    await send(JSON_FRAME);
    for (let sent = 0; sent < 5_000 && !body.isPaused(); sent++)
      await send(encodeFrame(FRAME.stdout, Buffer.from('a')));
    expect(pushed.length).toBeLessThan(2_000);
    expect(body.isPaused()).toBe(true);
  });

  it('that is a small part of what came does not keep the rest of it', async () => {
    const padded = encodeJsonFrame({ process: PROCESS, padding: 'x'.repeat(400_000) });
    await send(Buffer.concat([padded, encodeFrame(FRAME.stdout, Buffer.from('a'))]));
    expect(pushed.map(({ bytes }) => Buffer.from(bytes).toString())).toEqual(['a']);
    // A pool of Node.js, if any.
    expect(pushed[0]!.bytes.buffer.byteLength).toBeLessThan(100_000);
  });

  it('that is large is not copied', async () => {
    const large = Buffer.concat([
      JSON_FRAME,
      encodeFrame(FRAME.stdout, Buffer.alloc(65_536, 'a')),
      encodeFrame(FRAME.stderr, Buffer.alloc(65_536)),
    ]);
    body.write(large);
    await turn();
    expect(pushed[0]!.bytes.buffer).toBe(large.buffer);
  });
});

describe('what is told of a process', () => {
  it('again and again is held back when it takes much time, also while output is read', async () => {
    msPerLook = 5;
    for (let sent = 0; sent < 1_000 && !body.isPaused(); sent++) await send(JSON_FRAME);
    expect(body.isPaused()).toBe(true);
    expect(told).toBeLessThan(500);
    const before = told;
    // Room for output is none for it.
    pipe.push({ stream: 'stdout', offset: 0, bytes: Buffer.alloc(300_000) }, 300_000);
    await pipe[Symbol.asyncIterator]().next();
    await send(JSON_FRAME);
    expect(told).toBe(before);
    for (let turns = 0; turns < 100 && body.isPaused(); turns++) fire?.();
    await turn();
    expect(told).toBe(before + 1);
  });

  it('does not let output go on that nobody reads', async () => {
    msPerLook = 5;
    const output = Array<Buffer>(5).fill(encodeFrame(FRAME.stdout, Buffer.alloc(60_000)));
    await send(Buffer.concat([...Array<Buffer>(60).fill(JSON_FRAME), ...output]));
    expect(fire).toBeDefined();
    await send(encodeFrame(FRAME.stdout, Buffer.alloc(10)));
    const before = pushed.length;
    for (let turns = 0; turns < 100; turns++) fire?.();
    await turn();
    expect(pushed.length).toBe(before);
    const iterator = pipe[Symbol.asyncIterator]();
    for (let read = 0; read < before; read++) await iterator.next();
    await turn();
    expect(pushed.length).toBe(before + 1);
  });
});
