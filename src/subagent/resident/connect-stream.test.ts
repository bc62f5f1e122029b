import { once } from 'node:events';
import { fc, test } from '@fast-check/vitest';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createMemorySession } from '../../../test/support/resident/memory-session.ts';
import type { MemorySession } from '../../../test/support/resident/memory-session.ts';
import { createFakeClock } from '../../testing/fake-clock.ts';
import type { FakeClock } from '../../testing/fake-clock.ts';
import { openConnectStream } from './connect-stream.ts';

const { signal } = new AbortController();
let clock: FakeClock;
let world: MemorySession;

beforeEach(() => {
  clock = createFakeClock();
  world = createMemorySession();
});
afterEach(() => expect(clock.pending()).toEqual([]));

const open = (of = world) =>
  openConnectStream(of.session, { token: 't', start: true }, { clock, timeoutMs: 5_000, signal });
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('a connect stream', () => {
  it('greets with one line, and hands on the answer and all bytes after it', async () => {
    const opening = open();
    const [greeting] = (await once(world.inside, 'data')) as [Buffer];
    expect(greeting.toString()).toBe('{"token":"t","start":true}\n');
    world.inside.write('{"ok":true}\nrest');
    const { answer, stream } = await opening;
    expect(answer).toEqual({ ok: true });
    const received: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => received.push(chunk));
    stream.write('hello');
    expect(String(await once(world.inside, 'data'))).toBe('hello');
    world.inside.end(' and more');
    await once(stream, 'end');
    expect(Buffer.concat(received).toString()).toBe('rest and more');
    stream.destroy();
  });

  test.prop([fc.string({ maxLength: 30, unit: 'binary' }), fc.array(fc.nat(), { maxLength: 10 })])(
    'finds the answer and the rest wherever the bytes are cut',
    async (rest, at) => {
      const of = createMemorySession();
      const opening = open(of);
      const bytes = Buffer.from(`{"ok":"ä"}\n${rest}`);
      const places = [0, ...at.map((place) => place % bytes.length).sort((a, b) => a - b), bytes.length];
      for (const [index, end] of places.slice(1).entries()) {
        of.inside.write(bytes.subarray(places[index], end));
        await turn();
      }
      of.inside.end();
      const { answer, stream } = await opening;
      expect(answer).toEqual({ ok: 'ä' });
      const received: Buffer[] = [];
      for await (const chunk of stream) received.push(chunk as Buffer);
      expect(Buffer.concat(received).toString()).toBe(rest);
    },
  );

  it('reads no further than it is read, so that memory stays bounded', async () => {
    const opening = open();
    world.inside.write('{}\n');
    const { stream } = await opening;
    const chunk = Buffer.alloc(65_536);
    let sent = 0;
    while (world.inside.write(chunk) && sent < 100) {
      sent++;
      await turn();
    }
    for (let round = 0; round < 20; round++) await turn();
    expect(sent).toBeLessThan(20);
    expect(stream.readableLength).toBeLessThan(4 * 65_536);
    stream.destroy();
    expect(world.isClosed).toBe(true);
  });

  it('closes the session when it is destroyed, and ends standard input when it is ended', async () => {
    const opening = open();
    world.inside.resume().write('{}\n');
    const { stream } = await opening;
    stream.end('last');
    await once(world.inside, 'end');
    expect(world.isClosed).toBe(false);
    stream.destroy();
    expect(world.isClosed).toBe(true);
    const next = createMemorySession();
    const other = open(next);
    next.inside.write('{}\n');
    const broken = (await other).stream;
    const failing = once(broken, 'error');
    next.end(null);
    broken.write('x');
    expect(String((await failing)[0])).toContain('the session has ended');
  });

  it.each([
    ['too long', `${'x'.repeat(70_000)}\n`, 'longer than 65536 bytes'],
    ['endless', 'x'.repeat(70_000), 'longer than 65536 bytes'],
  ])('refuses an answer that is %s, and closes the session', async (_, text, reason) => {
    const opening = open();
    opening.catch(() => {});
    world.inside.write(text);
    await expect(opening).rejects.toMatchObject({
      code: 'runtime-unavailable',
      message: expect.stringContaining(reason),
      details: { isViolation: true },
    });
    expect(world.isClosed).toBe(true);
  });

  it('refuses an answer that is no JSON, unless it was the last word of a program that could not run', async () => {
    const opening = open();
    opening.catch(() => {});
    world.inside.write('hello\n');
    await clock.run(1_000);
    await expect(opening).rejects.toMatchObject({ details: { isViolation: true } });
    const other = createMemorySession();
    const second = open(other);
    second.catch(() => {});
    other.inside.write('OCI runtime exec failed: cannot exec in a stopped state\n');
    await turn();
    other.end(126);
    await expect(second).rejects.toMatchObject({
      message: 'Connecting to the resident failed: OCI runtime exec failed: cannot exec in a stopped state.',
      details: { exitCode: 126 },
    });
  });

  it('says why the program ended instead of answering, in one plain line', async () => {
    const opening = open();
    opening.catch(() => {});
    world.stderr.write('noise\n\u001b[31mno such file\u001b[0m\n');
    await turn();
    world.end(127);
    await expect(opening).rejects.toMatchObject({
      code: 'runtime-unavailable',
      message: 'Connecting to the resident failed: no such file.',
      details: { exitCode: 127 },
    });
    const silent = createMemorySession();
    silent.end(3);
    await expect(open(silent)).rejects.toThrow('its program ended with code 3');
  });

  it('gives up after its time, and when the signal aborts', async () => {
    const opening = open();
    opening.catch(() => {});
    await clock.advance(5_000);
    await expect(opening).rejects.toMatchObject({ code: 'timeout' });
    expect(world.isClosed).toBe(true);

    const controller = new AbortController();
    const other = createMemorySession();
    const second = openConnectStream(other.session, {}, { clock, timeoutMs: 5_000, signal: controller.signal });
    controller.abort(new Error('left'));
    await expect(second).rejects.toThrow('left');
    expect(other.isClosed).toBe(true);
  });
});
