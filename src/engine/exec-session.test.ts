import { Duplex } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { AgentContainersError } from '../errors.ts';
import { createFakeClock } from '../testing/fake-clock.ts';
import { openExecSession } from './exec-session.ts';
import type { ExecState } from './exec-session.ts';

const RUNNING: ExecState = { kind: 'running' };
const ended = (exitCode: number): ExecState => ({ kind: 'ended', exitCode, hadProcess: true, isCertain: true });
const frame = (stream: number, content: string | Buffer): Buffer => {
  const body = Buffer.from(content);
  const header = Buffer.from([stream, 0, 0, 0, 0, 0, 0, 0]);
  header.writeUInt32BE(body.length, 4);
  return Buffer.concat([header, body]);
};

/** A session over a connection in memory; the test plays the engine. */
function open(options: { stdin?: boolean; signal?: AbortSignal } = {}) {
  const clock = createFakeClock();
  const written: Buffer[] = [];
  const engine = { state: RUNNING as ExecState | Error, looks: 0, stdinEnded: false, watching: 0 };
  let hint = (): void => {};
  const stream = new Duplex({
    autoDestroy: false,
    read() {},
    write(chunk: Buffer, _encoding, done) {
      written.push(chunk);
      done();
    },
    final(done) {
      engine.stdinEnded = true;
      done();
    },
  });
  const session = openExecSession({
    id: 'e1',
    stream,
    stdin: options.stdin ?? false,
    title: '"cmd" in container c1',
    inspect() {
      engine.looks++;
      return engine.state instanceof Error ? Promise.reject(engine.state) : Promise.resolve(engine.state);
    },
    exits: {
      watch(_id, onHint) {
        hint = onHint;
        engine.watching++;
        return () => engine.watching--;
      },
    },
    clock,
    signals: [options.signal, undefined],
  });
  const settled = { now: undefined as unknown };
  session.exited.then(
    (exit) => (settled.now = exit),
    (error: unknown) => (settled.now = error),
  );
  const send = (...pieces: Buffer[]): void => void pieces.map((piece) => stream.push(piece));
  return { clock, session, stream, engine, written, settled, send, hint: () => hint() };
}

async function text(stream: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

describe('an exec session', () => {
  test('ends with its stream and leaves nothing behind', async () => {
    const { clock, session, stream, engine, send } = open();
    send(frame(1, 'out'), frame(2, 'err'));
    engine.state = ended(3);
    stream.push(null);
    expect(await Promise.all([text(session.stdout), text(session.stderr), session.exited])).toEqual([
      'out',
      'err',
      { exitCode: 3, outputHeld: false },
    ]);
    expect(clock.pending()).toEqual([]);
    expect(engine.watching).toBe(0);
    expect(stream.destroyed).toBe(true);
  });

  test('asks again when the stream ends before the engine has noted the exit', async () => {
    const { clock, session, stream, engine } = open();
    stream.push(null);
    await text(session.stdout);
    await clock.settle();
    expect(engine.looks).toBe(1);
    await clock.advance(50);
    expect(engine.looks).toBe(2);
    engine.state = ended(0);
    await clock.advance(100);
    expect(await session.exited).toEqual({ exitCode: 0, outputHeld: false });
  });

  test('settles a drain after the end when a child holds the output', async () => {
    const { clock, session, engine, send, settled } = open();
    send(frame(1, 'done\n'));
    engine.state = ended(0);
    await clock.advance(250);
    expect(settled.now).toBeUndefined();
    await clock.advance(250);
    expect(await session.exited).toEqual({ exitCode: 0, outputHeld: true });
    expect(await text(session.stdout)).toBe('done\n');
    expect(clock.pending()).toEqual([]);
  });

  test('what comes during the drain is kept, and a child that never stops writing does not hold it up', async () => {
    const { clock, session, engine, send } = open();
    engine.state = ended(0);
    await clock.advance(250);
    let drains = 0;
    while (clock.next() !== undefined && drains < 100) {
      send(frame(1, 'x'));
      await clock.advance(250);
      drains++;
    }
    expect(drains).toBe(8);
    expect(await session.exited).toEqual({ exitCode: 0, outputHeld: true });
    expect(await text(session.stdout)).toBe('xxxxxxxx');
  });

  test('when quiet for long it sets no timer and asks nothing, and the report of its end is enough', async () => {
    const { clock, session, engine, hint } = open();
    let waited = 0;
    while (clock.next() !== undefined && waited < 1_000) waited += (await clock.advanceToNext()) > 0 ? 1 : 0;
    expect(waited).toBe(8);
    expect(engine.looks).toBe(8);
    engine.state = ended(9);
    hint();
    await clock.settle();
    await clock.advance(250);
    expect(await session.exited).toEqual({ exitCode: 9, outputHeld: true });
  });

  test('a hint while it asks leads to one more question', async () => {
    const { clock, engine, hint } = open();
    hint();
    hint();
    hint();
    await clock.settle();
    expect(engine.looks).toBe(2);
  });

  test('an exit that may be older than the start is not believed', async () => {
    const { clock, engine, settled } = open();
    engine.state = { kind: 'ended', exitCode: 0, hadProcess: false, isCertain: false };
    await clock.advance(250);
    await clock.run(2_000);
    expect(settled.now).toBeUndefined();
  });

  test('an exec that never ran although its stream ended is given up', async () => {
    const { clock, session, stream, engine } = open();
    engine.state = { kind: 'waiting' };
    stream.push(null);
    await text(session.stdout);
    await clock.settle();
    await clock.run(600_000);
    expect(await session.exited).toEqual({ exitCode: null, outputHeld: false });
  });

  test.each([
    ['the engine does not answer', new AgentContainersError('engine-unreachable', 'gone')],
    ['the container is gone', new AgentContainersError('engine-object-not-found', 'gone')],
  ])('is lost without an exit code when its stream breaks and %s', async (_what, error) => {
    const { session, stream, engine } = open();
    engine.state = error;
    stream.destroy(new Error('ECONNRESET'));
    expect(await session.exited).toEqual({ exitCode: null, outputHeld: false });
  });

  test('an unreachable engine while the stream is open proves nothing', async () => {
    const { clock, engine, settled } = open();
    engine.state = new AgentContainersError('timeout', 'slow');
    await clock.run(300_000);
    expect(settled.now).toBeUndefined();
  });

  test("rejects with the engine's reason when the command could not be started", async () => {
    const { session, stream, engine, send } = open();
    const reason =
      'OCI runtime exec failed: exec failed: unable to start container process: exec: "cmd": executable file not found in $PATH: unknown\r\n';
    send(frame(1, reason));
    engine.state = { kind: 'ended', exitCode: 126, hadProcess: false, isCertain: false };
    stream.push(null);
    await expect(session.exited).rejects.toMatchObject({
      code: 'engine-request-failed',
      message: 'Starting "cmd" in container c1 failed: exec: "cmd": executable file not found in $PATH.',
      details: { exitCode: 126 },
    });
  });

  test.each([
    ['had a process', { hadProcess: true, output: 'no\r\n', exitCode: 126 }],
    ['wrote lines of its own', { hadProcess: false, output: 'sh: x: not found\n', exitCode: 127 }],
    ['ended with another code', { hadProcess: false, output: 'no\r\n', exitCode: 1 }],
  ])('a command that %s has an exit', async (_what, { hadProcess, output, exitCode }) => {
    const { session, stream, engine, send } = open();
    send(frame(1, output));
    engine.state = { kind: 'ended', exitCode, hadProcess, isCertain: true };
    stream.push(null);
    expect(await session.exited).toEqual({ exitCode, outputHeld: false });
  });

  describe('of an engine that gives its own words as standard error, as Podman does', () => {
    const LOST = 'Error: read unixpacket @->/proc/self/fd/14/attach: read: connection reset by peer\n';
    const endedSomehow = (exitCode: number): ExecState => ({
      kind: 'ended',
      exitCode,
      hadProcess: undefined,
      isCertain: true,
    });

    test.each([
      [127, 127, 'exec: "cmd": executable file not found in $PATH', 'attempted to invoke a command that was not found'],
      [126, 126, 'exec: "cmd": permission denied', 'permission denied'],
      [125, 126, 'exec: "€€": file name too long', 'runtime error'],
    ])(
      'rejects with its reason when a command ended with %i, and shows no output',
      async (code, told, reason, kind) => {
        const { session, stream, engine, send } = open();
        const words = `Error: runc: exec failed: unable to start container process: ${reason}: OCI ${kind}\n`;
        send(frame(2, words), frame(2, LOST));
        engine.state = endedSomehow(code);
        stream.push(null);
        await expect(session.exited).rejects.toMatchObject({
          code: 'engine-request-failed',
          message: `Starting "cmd" in container c1 failed: ${reason}.`,
          details: { exitCode: told },
        });
        expect(await text(session.stderr)).toBe('');
      },
    );

    test('waits for the reason when it learns of the end first', async () => {
      const { clock, session, stream, engine, send } = open();
      engine.state = endedSomehow(127);
      await clock.advance(250);
      send(frame(2, 'Error: crun: executable file `cmd` not found in $PATH: OCI not found\n'));
      stream.push(null);
      await expect(session.exited).rejects.toMatchObject({
        message: 'Starting "cmd" in container c1 failed: executable file `cmd` not found in $PATH.',
      });
    });

    test.each([
      ['a line as of a terminal', 127, [frame(1, 'gone\r\n')], ''],
      ['an error that is its own', 125, [frame(2, 'Error: no such thing\n')], 'Error: no such thing\n'],
      ['such words after others', 127, [frame(1, 'x'), frame(2, 'Error: runc: x: OCI y\n')], 'Error: runc: x: OCI y\n'],
      ['such words and another end', 1, [frame(2, 'Error: runc: x: OCI y\n')], 'Error: runc: x: OCI y\n'],
      ['bytes that are no text', 126, [frame(2, Buffer.from('Error: \xff\xfe', 'latin1'))], 'Error: \ufffd\ufffd'],
    ])('a command with %s has an exit and all of its output', async (_what, exitCode, frames, stderr) => {
      const { session, stream, engine, send } = open();
      send(...frames);
      engine.state = endedSomehow(exitCode);
      stream.push(null);
      expect(await session.exited).toEqual({ exitCode, outputHeld: false });
      expect(await text(session.stderr)).toBe(stderr);
    });

    test('the lost connection to a command that left its input unread is not told as its output', async () => {
      const { session, stream, engine, send } = open({ stdin: true });
      send(frame(2, 'sh: read-only\n'), frame(2, LOST));
      engine.state = endedSomehow(1);
      stream.push(null);
      expect(await session.exited).toEqual({ exitCode: 1, outputHeld: false });
      expect(await text(session.stderr)).toBe('sh: read-only\n');
    });

    test('the same words of a command that had a process, or that go on, are its own', async () => {
      for (const [frames, state] of [
        [[frame(2, LOST)], ended(0)],
        [[frame(2, LOST), frame(2, 'more\n')], endedSomehow(0)],
      ] as const) {
        const { session, stream, engine, send } = open();
        send(...frames);
        engine.state = state;
        stream.push(null);
        await session.exited;
        expect(await text(session.stderr)).toContain(LOST);
      }
    });

    test('what it holds back is passed on as soon as the command is known to run, however long it was quiet', async () => {
      const { clock, session, send } = open();
      while (clock.next() !== undefined) await clock.advanceToNext();
      send(frame(2, LOST));
      await clock.advance(250);
      const { value } = await session.stderr[Symbol.asyncIterator]().next();
      expect(String(value)).toBe(LOST);
    });
  });

  test('bytes that are no frames end it, and reading says so', async () => {
    const { session, send } = open();
    send(Buffer.from('HTTP/1.1 200 OK'));
    expect(await session.exited).toEqual({ exitCode: null, outputHeld: false });
    await expect(text(session.stdout)).rejects.toMatchObject({
      message: 'Reading the output of "cmd" in container c1 failed: the engine sent output without its framing.',
    });
  });

  test('reads no more than is taken, until the command has ended', async () => {
    const { clock, session, stream, engine, send, hint } = open();
    const piece = frame(1, Buffer.alloc(64 * 1024));
    for (let sent = 0; sent < 12; sent++) {
      send(piece);
      await clock.settle();
    }
    expect(stream.isPaused()).toBe(true);
    expect(stream.readableLength).toBeGreaterThan(5 * piece.length);
    engine.state = ended(0);
    hint();
    await clock.settle();
    stream.push(null);
    expect(await session.exited).toEqual({ exitCode: 0, outputHeld: false });
    expect((await text(session.stdout)).length).toBe(12 * 64 * 1024);
  });

  test('a reader that leaves one output does not hold up the other', async () => {
    const { clock, session, stream, engine, send } = open();
    engine.state = ended(0);
    const big = frame(2, Buffer.alloc(300 * 1024));
    send(big);
    await clock.settle();
    expect(stream.isPaused()).toBe(true);
    for await (const chunk of session.stderr) {
      expect(chunk.length).toBeGreaterThan(0);
      break;
    }
    send(big, big, frame(1, 'kept'));
    stream.push(null);
    expect(await text(session.stdout)).toBe('kept');
    expect(await session.exited).toEqual({ exitCode: 0, outputHeld: false });
  });

  test.each([
    ['aborting its signal', (controller: AbortController) => controller.abort()],
    ['closing it', (_controller: AbortController, close: () => void) => close()],
  ])('%s ends it at once, twice is fine', async (_what, end) => {
    const controller = new AbortController();
    const { clock, session, stream, engine } = open({ stdin: true, signal: controller.signal });
    end(controller, session.close);
    end(controller, session.close);
    expect(await session.exited).toEqual({ exitCode: null, outputHeld: false });
    expect(await text(session.stdout)).toBe('');
    expect(stream.destroyed).toBe(true);
    expect([clock.pending(), engine.watching]).toEqual([[], 0]);
    await expect(session.write('x')).rejects.toMatchObject({ message: expect.stringContaining('is closed') });
  });

  test('a signal that has aborted before it opens ends it too', async () => {
    const { session, engine } = open({ signal: AbortSignal.abort() });
    expect(await session.exited).toEqual({ exitCode: null, outputHeld: false });
    expect(engine.watching).toBe(0);
  });

  test('writes in order, closes standard input once, and refuses what was not asked for', async () => {
    const { session, engine, written } = open({ stdin: true });
    await session.write('a');
    await session.write(Buffer.from('b'));
    session.closeStdin();
    session.closeStdin();
    await expect(session.write('c')).rejects.toMatchObject({ code: 'engine-request-failed' });
    expect(Buffer.concat(written).toString()).toBe('ab');
    expect(engine.stdinEnded).toBe(true);
    await expect(open().session.write('x')).rejects.toMatchObject({
      message: expect.stringContaining('was not asked for'),
    });
  });

  test('when the command has ended, its open standard input is closed so that the engine can end the stream', async () => {
    const { clock, engine, stream, session } = open({ stdin: true });
    engine.state = ended(4);
    await clock.advance(250);
    expect(engine.stdinEnded).toBe(true);
    stream.push(null);
    expect(await session.exited).toEqual({ exitCode: 4, outputHeld: false });
  });
});
