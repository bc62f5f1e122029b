import type { ServerHttp2Stream } from 'node:http2';
import { z } from 'zod';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { connectTo, until } from '../../../test/support/resident/connected.ts';
import { answer, createFakeResident, refuse } from '../../../test/support/resident/fake-resident.ts';
import type { MemorySession } from '../../../test/support/resident/memory-session.ts';
import { createFakeClock } from '../../testing/fake-clock.ts';
import type { FakeClock } from '../../testing/fake-clock.ts';
import { readFrames } from './read-frames.ts';
import { requestJson } from './request-json.ts';
import type { JsonRequest } from './request-json.ts';
import type { ResidentConnection } from './resident-connection.ts';

const doing = 'Asking';
const schema = z.object({ n: z.number() });

let clock: FakeClock;
let session: MemorySession;
let connection: ResidentConnection;
let play: (stream: ServerHttp2Stream, path: string) => void;

beforeEach(async () => {
  clock = createFakeClock();
  const fake = createFakeResident({
    onRequest(stream, _method, path) {
      play(stream, path);
      return true;
    },
  });
  ({ connection } = await connectTo(fake, clock, { onSession: (made) => (session = made) }));
});
afterEach(async () => {
  connection.close();
  await connection.ended;
  await until(() => session.isClosed && clock.pending().length === 0);
});

const ask = (more: Partial<JsonRequest<{ n: number }>> = {}): Promise<{ n: number }> =>
  requestJson(connection, { doing, method: 'GET', path: '/v1/x', schema, ...more });

describe('a connection', () => {
  it('carries requests of JSON, many at a time', async () => {
    play = (stream, path) => {
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', () =>
        answer(stream, { n: Number(path.slice(1)) + Number(Buffer.concat(chunks).toString() || 0) }),
      );
    };
    const all = Array.from({ length: 200 }, (_, n) => ask({ method: 'POST', path: `/${n}`, json: n }));
    expect((await Promise.all(all)).map(({ n }) => n)).toEqual(all.map((_, n) => 2 * n));
    expect(connection.isOpen).toBe(true);
  });

  it.each([
    [400, 'invalid-request', 'invalid-request'],
    [403, 'not-permitted', 'command-refused'],
    [404, 'not-found', 'process-not-found'],
    [409, 'conflict', 'command-refused'],
    [409, 'draining', 'runtime-unavailable'],
    [413, 'too-large', 'invalid-request'],
    [429, 'too-many', 'command-refused'],
    [500, 'failed', 'command-refused'],
    [502, 'unreachable', 'connection-refused'],
  ])('%i %s is %s, in plain words', async (status, code, expected) => {
    play = (stream) => refuse(stream, status, code, 'no \u001b[31mway\u001b[0m\nat all.');
    await expect(ask()).rejects.toMatchObject({
      code: expected,
      message: 'Asking failed: no way at all.',
      details: { status, reason: code },
    });
    expect(connection.isOpen).toBe(true);
  });

  it('a command with too many arguments is refused like any that cannot be started', async () => {
    play = (stream) => refuse(stream, 413, 'too-large', 'argument list too long');
    await expect(ask({ notFound: 'command-refused' })).rejects.toMatchObject({ code: 'command-refused' });
  });

  it('gives a request up when its signal aborts, and when no answer comes in time', async () => {
    let closed = 0;
    play = (stream) => void stream.on('close', () => closed++);
    const controller = new AbortController();
    const left = ask({ signal: controller.signal });
    controller.abort(new Error('left'));
    await expect(left).rejects.toThrow('left');
    const late = ask({ timeoutMs: 700 });
    late.catch(() => {});
    await clock.advance(700);
    await expect(late).rejects.toMatchObject({ code: 'timeout' });
    await until(() => closed >= 1);
    expect(connection.isOpen).toBe(true);
    await expect(ask({ signal: AbortSignal.abort(new Error('before')) })).rejects.toThrow('before');
  });

  it('rejects what is under way when it breaks off, and everything after that', async () => {
    play = () => {};
    const asked = ask();
    asked.catch(() => {});
    await until(() => session.unread() === 0);
    session.end(null);
    await expect(asked).rejects.toMatchObject({ code: 'runtime-unavailable', details: { isCut: true } });
    expect(connection.isOpen).toBe(false);
    await expect(ask()).rejects.toMatchObject({ details: { isCut: true } });
    await expect(connection.confirm()).rejects.toMatchObject({ details: { isCut: true } });
    expect((await connection.ended).details['isViolation']).toBeUndefined();
  });

  it('confirms what was written', async () => {
    play = () => {};
    await connection.confirm();
  });

  it('bounds an answer that may be long, and only that request fails', async () => {
    play = (stream, path) => answer(stream, path === '/long' ? { n: 1, fill: 'x'.repeat(5_000) } : { n: 2 });
    await expect(ask({ path: '/long', limit: 4_000, mayBeLong: true })).rejects.toThrow('longer than 4000 bytes');
    expect(await ask()).toEqual({ n: 2 });
  });

  it('passes on what the source of a body throws, and gives the request up', async () => {
    let wasAborted = false;
    play = (stream) => {
      stream.resume();
      stream.on('aborted', () => (wasAborted = true));
    };
    const send = (): Promise<void> => Promise.reject(new Error('the disk is gone'));
    await expect(ask({ method: 'PUT', send })).rejects.toThrow('the disk is gone');
    await until(() => wasAborted);
    expect(connection.isOpen).toBe(true);
  });
});

describe('a hostile resident', () => {
  const hostile: [string, (stream: ServerHttp2Stream) => void][] = [
    ['answers something else than JSON', (stream) => void (stream.respond({ ':status': 200 }), stream.end('<html>'))],
    ['answers other JSON', (stream) => answer(stream, { n: 'one' })],
    ['answers without end', (stream) => endless(stream)],
    ['refuses without saying why', (stream) => answer(stream, { no: 1 }, 500)],
    ['sends a list of headers that is too long', (stream) => stream.respond(manyHeaders(200, 10))],
    ['pushes', () => void session.inside.write(Buffer.from('000008050400000001000000028286848700', 'hex'))],
    ['sends an answer to nothing', () => void session.inside.write(Buffer.from('0000010104000000ff88', 'hex'))],
    ['sends endless headers', () => endlessHeaders()],
  ];

  it.each(hostile)('that %s loses its connection with a typed error', async (_, how) => {
    play = how;
    const asked = ask();
    asked.catch(() => {});
    const end = await connection.ended;
    expect(end).toMatchObject({ code: 'runtime-unavailable', details: { isViolation: true } });
    await expect(asked).rejects.toMatchObject({ code: 'runtime-unavailable' });
    await expect(ask()).rejects.toBe(end);
    await until(() => session.isClosed);
  });

  it('that sends bytes that are no frames of HTTP/2 loses its connection when it leaves a ping unanswered', async () => {
    play = () => void session.inside.write(Buffer.alloc(100, 0xff));
    const asked = ask();
    asked.catch(() => {});
    await until(() => session.unread() === 0);
    await clock.run(10_000);
    await connection.ended;
    await expect(asked).rejects.toMatchObject({ code: 'runtime-unavailable', details: { isCut: true } });
  });

  it('that answers late stays connected as long as it answers pings', async () => {
    play = () => {};
    const asked = ask({ timeoutMs: 60_000 });
    asked.catch(() => {});
    await clock.run(5_000);
    await until(() => clock.pending().length === 1);
    await clock.run(50_000);
    expect(connection.isOpen).toBe(true);
    await clock.run(5_000);
    await expect(asked).rejects.toMatchObject({ code: 'timeout' });
  });

  it('that sends no frames in a stream loses its connection', async () => {
    play = (stream) => {
      stream.respond({ ':status': 200 });
      stream.write(Buffer.from([9, 0, 0, 0, 1]));
    };
    const { body } = await connection.open({ doing, method: 'GET', path: '/v1/events' });
    await expect(readFrames(connection, body, () => {})).rejects.toMatchObject({ details: { isViolation: true } });
    expect(connection.isOpen).toBe(false);
  });

  it('fills no more than its window of a stream that nobody reads, and holds up no other stream', async () => {
    let written = 0;
    play = (stream, path) => {
      if (path !== '/v1/slow') return answer(stream, { n: 1 });
      stream.respond({ ':status': 200 });
      const chunk = Buffer.alloc(16_384);
      const more = (): void => {
        if (!stream.destroyed) stream.write(chunk, () => ((written += chunk.length), more()));
      };
      more();
    };
    const slow = await Promise.all(
      Array.from({ length: 8 }, () => connection.open({ doing, method: 'GET', path: '/v1/slow' })),
    );
    await until(() => written >= 8 * 600_000);
    for (let round = 0; round < 200; round++) await new Promise((resolve) => setImmediate(resolve));
    expect(written).toBeLessThan(8 * 1_000_000);
    expect(slow.reduce((sum, { body }) => sum + body.readableLength, 0)).toBeLessThan(8 * 850_000);
    expect(await ask()).toEqual({ n: 1 });
  });

  function endless(stream: ServerHttp2Stream): void {
    stream.respond({ ':status': 200 });
    const more = (): void => {
      if (!stream.destroyed && connection.isOpen) stream.write(Buffer.alloc(16_384, 32), more);
    };
    more();
  }
  function manyHeaders(count: number, length: number): Record<string, string | number> {
    const names = Array.from({ length: count }, (_, index) => [`x-${index}`, 'x'.repeat(length)]);
    return { ':status': 200, ...(Object.fromEntries(names) as Record<string, string>) };
  }
  function literal(length: number): Buffer {
    return Buffer.concat([
      Buffer.from([0x00, 3]),
      Buffer.from('x-a'),
      Buffer.from([length]),
      Buffer.alloc(length, 120),
    ]);
  }
  function http2Frame(type: number, flags: number, payload: Buffer): Buffer {
    const header = Buffer.alloc(9);
    header.writeUIntBE(payload.length, 0, 3);
    header.writeUInt8(type, 3);
    header.writeUInt8(flags, 4);
    header.writeUInt32BE(1, 5);
    return Buffer.concat([header, payload]);
  }
  /** HEADERS without their end, and CONTINUATION after CONTINUATION: each a literal header of its own. */
  function endlessHeaders(): void {
    session.inside.write(http2Frame(1, 0, Buffer.concat([Buffer.from([0x88]), literal(100)])));
    const more = (): void => {
      if (connection.isOpen) session.inside.write(http2Frame(9, 0, literal(100)), () => setImmediate(more));
    };
    more();
  }
});
