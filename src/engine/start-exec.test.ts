import type { Duplex } from 'node:stream';
import { beforeEach, describe, expect, test } from 'vitest';
import { engineUnderTest, until, within } from '../../test/engine/engine-under-test.ts';
import { json } from '../../test/engine/fake-engine-server.ts';

const current = engineUnderTest();

describe('exec', () => {
  const frame = (text: string): Buffer => {
    const header = Buffer.from([1, 0, 0, 0, 0, 0, 0, 0]);
    header.writeUInt32BE(Buffer.byteLength(text), 4);
    return Buffer.concat([header, Buffer.from(text)]);
  };
  const read = async (stream: AsyncIterable<Uint8Array>): Promise<string> => {
    const chunks: Uint8Array[] = [];
    for await (const chunk of stream) chunks.push(chunk);
    return Buffer.concat(chunks).toString();
  };
  const exit = (ExitCode: number | null, Running = false) => json({ Running, ExitCode, Pid: 42 });

  /** Says nothing, and closes only when the other side does. */
  const holdOpen = (connection: Duplex): void => void connection.on('end', () => connection.end());

  beforeEach(() => {
    current().server.on('POST /containers/c1/exec', json({ Id: 'e1' }, 201));
    current().server.on('GET /events', (response) => response.flushHeaders());
    current().server.on('GET /exec/e1/json', exit(0));
  });

  test('passes on what was asked for, with standard input in both directions and a real half-close', async () => {
    current().server.onUpgrade('/exec/e1/start', (connection) => {
      let input = '';
      connection.on('data', (chunk: Buffer) => (input += String(chunk)));
      connection.on('end', () => connection.end(frame(`got ${input}`)));
      connection.resume();
    });
    const session = await current().engine.exec({
      containerId: 'c1',
      argv: ['cat', '-'],
      env: ['A=b'],
      user: 'dev',
      workingDir: '/w',
      stdin: true,
      signal: within(),
    });
    await session.write('hello');
    session.closeStdin();
    expect(await read(session.stdout)).toBe('got hello');
    expect(await session.exited).toEqual({ exitCode: 0, outputHeld: false });
    const create = current().server.requests.find(({ path }) => path === '/containers/c1/exec');
    expect(JSON.parse(String(create?.body))).toEqual({
      AttachStdin: true,
      AttachStdout: true,
      AttachStderr: true,
      Tty: false,
      Cmd: ['cat', '-'],
      Env: ['A=b'],
      User: 'dev',
      WorkingDir: '/w',
    });
  });

  test('an engine that answers without an upgrade serves commands without standard input', async () => {
    current().server.onIgnoredUpgrade('/exec/e1/start', (connection) => void connection.end(frame('plain')));
    const session = await current().engine.exec({ containerId: 'c1', argv: ['x'] });
    expect(await read(session.stdout)).toBe('plain');
    expect(await session.exited).toEqual({ exitCode: 0, outputHeld: false });
    await expect(current().engine.exec({ containerId: 'c1', argv: ['x'], stdin: true })).rejects.toMatchObject({
      code: 'engine-request-failed',
      message: expect.stringContaining('no connection for its standard input'),
    });
  });

  test('what the engine says against the start is the error', async () => {
    current().server.on('POST /containers/c1/exec', json({ message: 'Container c1 is paused' }, 409));
    await expect(current().engine.exec({ containerId: 'c1', argv: ['x'] })).rejects.toMatchObject({
      code: 'engine-conflict',
      message: 'Starting "x" in container c1 failed: Container c1 is paused.',
    });
  });

  test('a start that the engine answers with an error is a command that could not be started', async () => {
    const cause = { cause: 'no matching entries in passwd file', message: 'unable to find user x', response: 500 };
    current().server.onIgnoredUpgrade('/exec/e1/start', (one) => void one.end(JSON.stringify(cause)), 500);
    const session = await current().engine.exec({ containerId: 'c1', argv: ['x'], stdin: true });
    expect(await Promise.all([read(session.stdout), read(session.stderr)])).toEqual(['', '']);
    session.closeStdin();
    const reason = {
      message: 'Starting "x" in container c1 failed: unable to find user x.',
      details: { exitCode: 126 },
    };
    await expect(session.write('x')).rejects.toMatchObject(reason);
    await expect(session.exited).rejects.toMatchObject(reason);
  });

  test('a start that is not answered is given up, on the clock or by its signal', async () => {
    current().server.on('POST /containers/c1/exec', () => {});
    const slow = current().engine.exec({ containerId: 'c1', argv: ['x'] });
    await until(() => current().asked().includes('POST /containers/c1/exec'));
    await Promise.all([expect(slow).rejects.toMatchObject({ code: 'timeout' }), current().clock.advance(30_000)]);
    const controller = new AbortController();
    const aborted = current().engine.exec({ containerId: 'c1', argv: ['x'], signal: controller.signal });
    controller.abort();
    await expect(aborted).rejects.toMatchObject({ code: 'cancelled' });
  });

  test('an idle command causes no request; the report of its end ends it although the stream never closes', async () => {
    let report = (_line: string): void => {};
    current().server.on('GET /events', (response) => {
      response.flushHeaders();
      report = (line) => void response.write(`${line}\n`);
    });
    current().server.on('GET /exec/e1/json', exit(null, true));
    current().server.onUpgrade('/exec/e1/start', holdOpen);
    const session = await current().engine.exec({ containerId: 'c1', argv: ['x'] });
    const looks = () =>
      current()
        .asked()
        .filter((route) => route === 'GET /exec/e1/json').length;
    const tags = () =>
      current()
        .clock.pending()
        .map(({ tag }) => tag);
    // It looks once when the stream of reports opens, since the command may have ended before.
    await until(() => looks() === 1 && tags().join() === 'exec-session');
    while (current().clock.pending().length > 0) await current().clock.advanceToNext();
    expect(looks()).toBe(9);

    current().server.on('GET /exec/e1/json', exit(5));
    const died = (execID: string) =>
      JSON.stringify({ Action: 'exec_die', Actor: { ID: 'c1', Attributes: { execID } }, timeNano: 1 });
    report(died('another'));
    report(died('e1'));
    await until(() => tags().join() === 'exec-session');
    await current().clock.advance(250);
    expect(await session.exited).toEqual({ exitCode: 5, outputHeld: true });
    expect(looks()).toBe(10);
    // The stream of reports is only open while there is a session.
    await until(() => current().server.connections() === 0);
  });

  test('when the engine dies, running commands end without an exit code', async () => {
    current().server.onUpgrade('/exec/e1/start', (connection) => void connection.write(frame('up')));
    current().server.on('GET /exec/e1/json', exit(null, true));
    const session = await current().engine.exec({ containerId: 'c1', argv: ['x'] });
    await session.stdout[Symbol.asyncIterator]().next();
    await current().server.stop();
    expect(await session.exited).toEqual({ exitCode: null, outputHeld: false });
    await current().server.start();
  });

  test('closing the engine ends running commands and event streams', async () => {
    current().server.onUpgrade('/exec/e1/start', holdOpen);
    current().server.on('GET /exec/e1/json', exit(null, true));
    const session = await current().engine.exec({ containerId: 'c1', argv: ['x'] });
    const events = current().engine.events({ since: 0, signal: within() })[Symbol.asyncIterator]();
    const next = events.next();
    await until(
      () =>
        current()
          .asked()
          .filter((route) => route === 'GET /events').length === 2,
    );
    await current().engine.close();
    expect(await session.exited).toEqual({ exitCode: null, outputHeld: false });
    await expect(next).rejects.toMatchObject({ code: 'cancelled' });
    await until(() => current().server.connections() === 0);
  });
});
