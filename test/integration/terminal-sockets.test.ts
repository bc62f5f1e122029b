import { randomUUID } from 'node:crypto';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createApp, type ContainersApp } from '../../src/http/app.ts';
import { openSocket, type SocketClient } from '../../src/http/test-sockets.ts';
import type { DevcontainerRuntime } from '../../src/index.ts';
import { createRecordingLogger } from '../../src/testing/recording-logger.ts';
import { isResidentBuilt } from './resident-support.ts';
import { processesIn } from './support/container-processes.ts';
import { testEngine } from './support/engine-harness.ts';
import { PATIENCE, eventually } from './support/eventually.ts';
import { hasAgent, startLibrary, type Library } from './support/library.ts';

// Terminals and commands over WebSockets: the real app, library, resident and engine.

const engine = testEngine();
const TOKEN = 'token-of-the-terminal-sockets-test'.padEnd(43, 'x');
const HEADERS = { authorization: `Bearer ${TOKEN}` };
const MIB = 1024 * 1024;

let library: Library;
let folder: string;
let id: string;
let containerId: string;
let runtime: DevcontainerRuntime;
const log = createRecordingLogger();
const apps: ContainersApp[] = [];
let base: string;

/** Serves the library; returns where its devcontainer is. */
async function serve(): Promise<{ readonly app: ContainersApp; readonly base: string }> {
  const app = createApp(library.api, { token: TOKEN, logger: log });
  apps.push(app);
  const server: Server = app.createServer({ trust: 'token' });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  return { app, base: `ws://127.0.0.1:${port}/devcontainers/${id}` };
}

const open = (path: string): Promise<SocketClient> => openSocket(`${base}/${path}`, HEADERS);
const pty = (reconnect: string, query = ''): Promise<SocketClient> => open(`pty?reconnect=${reconnect}${query}`);
const shows = (client: SocketClient, text: string | RegExp): Promise<unknown> =>
  eventually(`${text} on the screen`, () => client.bytes().toString().search(text) >= 0);
const isRunning = async (marker: string): Promise<boolean> =>
  (await processesIn(engine, containerId)).some(({ args }) => args.includes(marker));

describe.skipIf(!isResidentBuilt)('over WebSockets', () => {
  beforeAll(async () => {
    library = await startLibrary(engine);
    folder = await engine.copyFixture('image');
    const { operation, done } = await library.api.create({ workspaceFolder: folder });
    expect(await done).toMatchObject({ status: 'succeeded' });
    id = operation.devcontainerId;
    containerId = (await library.until(folder, 'its resident', hasAgent)).container?.id ?? '';
    runtime = library.api.devcontainer(id);
    ({ base } = await serve());
  });
  afterAll(async () => {
    await Promise.all(apps.map((app) => app.close()));
    await library?.[Symbol.asyncDispose]();
    await engine.cleanup();
  });

  describe('a terminal', () => {
    it('is a login shell that has the size asked for from its first command on', async () => {
      const client = await pty(randomUUID(), '&width=132&height=43');
      client.send({ data: 'stty size; echo "$0 $FIXTURE $TERM"\r' });
      // Where the container has a TERM, as on Podman, that one is kept.
      await shows(client, /43 132[\s\S]*-?sh image xterm(-256color)?\r/);
      client.send({ width: 100, height: 30 });
      await eventually('the new size', async () => {
        client.send({ data: 'stty size\r' });
        return client.bytes().toString().includes('30 100');
      });
      client.send({ data: 'exit 3\r' });
      expect(await client.closed).toEqual({ code: 1000, reason: 'The terminal has ended: exit code 3.' });
    });

    it('takes what is typed as it is, and shows bytes of any kind', async () => {
      const client = await pty(randomUUID());
      client.send({ data: "printf 'in \\303\\050 €\\n' | od -An -tx1\r" });
      await shows(client, '69 6e 20 c3 28 20 e2 82 ac 0a');
      // Said by the command, not by the shell, which keeps Ctrl-C for itself while it reads a line.
      client.send({ data: 'echo g""o; cat\r' });
      await shows(client, /\r\ngo\r\n/);
      client.send({ data: '\u0003' });
      await shows(client, '\\^C');
      client.send({ data: 'exit\r' });
      await client.closed;
    });

    it.each([
      ['vi', 'vi /etc/passwd', /root:/, ':q!\r'],
      ['top', 'top -d 1', /PID/, 'q'],
    ])('of %s is re-attached by its value with the same bytes on the screen', async (_what, command, seen, quit) => {
      const key = randomUUID();
      const query = `&command=${encodeURIComponent(command)}&width=90&height=20`;
      const first = await pty(key, query);
      await shows(first, seen);
      first.ws.close();
      await first.closed;
      const before = first.bytes();
      // The command is only asked for when it is a new one.
      const again = await pty(key, '&width=90&height=20');
      const other = await pty(key, `&offset=${before.length - 10}`);
      expect(again.headers['agentcontainers-process']).toBe(first.headers['agentcontainers-process']);
      await eventually('the replay', () => again.bytes().length >= before.length && other.bytes().length >= 10);
      expect(again.bytes().subarray(0, before.length)).toEqual(before);
      expect(other.bytes().subarray(0, 10)).toEqual(before.subarray(-10));
      again.send({ data: quit });
      expect((await again.closed).code).toBe(1000);
      expect((await other.closed).code).toBe(1000);
      // Who was there and gives its offset sees what has ended to its end; it is not started again.
      const late = await pty(key, '&offset=0');
      expect((await late.closed).code).toBe(1000);
      expect(late.bytes()).toEqual(again.bytes());
      // For who comes anew the value is free again.
      const anew = await pty(key, '&command=cat');
      expect(anew.headers['agentcontainers-process']).not.toBe(first.headers['agentcontainers-process']);
      anew.send({ data: '\u0004' });
      expect((await anew.closed).code).toBe(1000);
    });

    it('drops a viewer that does not read, which comes back with its offset; other terminals go on', async () => {
      const key = randomUUID();
      const slow = await pty(key, `&command=${encodeURIComponent('stty -opost; cat /dev/zero')}`);
      slow.ws.pause();
      const typing = await pty(randomUUID(), '&command=cat');
      typing.send({ data: 'still here\r' });
      await shows(typing, 'still here');
      // What was produced says nothing: a daemon that is busy reads less of it.
      await eventually('a dropped viewer', () => log.messages('info').some((message) => message.includes('dropped')));
      slow.ws.resume();
      const { code, reason } = await slow.closed;
      expect([code, reason]).toEqual([1013, expect.stringContaining('Come back with offset=')]);
      const offset = Number(/offset=(\d+)/.exec(reason)?.[1]);
      expect(offset).toBeGreaterThanOrEqual(slow.bytes().length);
      // Who comes back need not be able to keep up with it.
      const process = String(slow.headers['agentcontainers-process']);
      await runtime.writeStdin(process, '\u0003');
      await eventually('its end', async () => !(await runtime.process(process)).running);
      const back = await pty(key, `&offset=${offset}`);
      expect(Number(back.headers['agentcontainers-offset'])).toBeGreaterThanOrEqual(offset);
      expect((await back.closed).code).toBe(1000);
      typing.send({ data: 'and here\r' });
      await shows(typing, 'and here');
    });
  });

  describe('a command', () => {
    it('takes 10 MB of standard input', async () => {
      const client = await open('exec');
      client.send({ argv: ['wc', '-c'], stdin: true });
      const piece = Buffer.alloc(100_000, 'x');
      for (let n = 0; n < 100; n++) client.sendBytes(piece);
      client.sendBytes('');
      expect((await client.closed).code).toBe(1000);
      expect(client.bytes(1).toString().trim()).toBe('10000000');
      expect(client.frames.at(-1)).toMatchObject({ type: 'exit', code: 0, via: 'resident' });
    });

    it('gives back 20 MB byte by byte, its errors apart', async () => {
      const client = await open('exec');
      client.send({ command: 'tee /dev/stderr', stdin: true });
      const piece = Buffer.alloc(MIB);
      for (let at = 0; at < piece.length; at++) piece[at] = (at * 31) & 255;
      for (let n = 0; n < 20; n++) client.sendBytes(piece);
      client.sendBytes('');
      await client.closed;
      const expected = Buffer.concat(Array.from({ length: 20 }, () => piece));
      expect(client.bytes(1).equals(expected)).toBe(true);
      expect(client.bytes(2).equals(expected)).toBe(true);
    });

    it('that writes to a reader who does not read stops alone, and can be interrupted', async () => {
      const stuck = await open('exec');
      stuck.send({ argv: ['yes'], tty: { width: 80, height: 24 } });
      const { process } = (await stuck.text('started')) as unknown as { process: { id: string } };
      stuck.ws.pause();
      const end = async (): Promise<number> => (await runtime.process(process.id)).output.end;
      let last = -1;
      let looks = 0;
      // On a machine that is busy it may rest for a while in the middle.
      await eventually('yes waiting', async () => {
        const now = await end();
        looks = now > 0 && now === last ? looks + 1 : 0;
        last = now;
        return looks === 40;
      });
      expect(last).toBeLessThan(64 * MIB);

      const typing = await pty(randomUUID());
      typing.send({ data: 'stty -echo; cat\r' });
      await shows(typing, 'cat\r\n');
      for (let n = 0; n < 20; n++) {
        typing.send({ data: `key ${n}.\r` });
        await shows(typing, `key ${n}\\.`);
      }
      expect(await end()).toBe(last);

      // A byte, as a keyboard sends it.
      stuck.sendBytes('\u0003');
      await eventually('yes interrupted', async () => !(await runtime.process(process.id)).running);
      stuck.ws.resume();
      expect((await stuck.closed).code).toBe(1000);
      expect(stuck.frames.at(-1)).toMatchObject({ type: 'exit', signal: 'SIGINT' });
      typing.ws.close();
    });

    it('ends with its connection, whole tree and all', async () => {
      const client = await open('exec');
      client.send({ command: 'setsid sleep 6161 >/dev/null 2>&1 & (sleep 6161 &); sleep 6161', grace_ms: 300 });
      await client.text('started');
      await eventually('its processes', () => isRunning('6161'));
      client.ws.terminate();
      await eventually('the end of the tree', async () => !(await isRunning('6161')));
    });

    it('takes signals, and says how it ended', async () => {
      const client = await open('exec');
      client.send({ command: 'trap "echo caught; exit 4" TERM; echo ready; while :; do sleep 0.05; done' });
      await eventually('the trap', () => client.bytes(1).toString() === 'ready\n');
      client.send({ type: 'signal', signal: 'SIGTERM' });
      await client.closed;
      expect(client.bytes(1).toString()).toBe('ready\ncaught\n');
      expect(client.frames.at(-1)).toMatchObject({ type: 'exit', code: 4, signal: null, reason: 'exit' });
    });

    it('that cannot be started is refused with the reason', async () => {
      const client = await open('exec');
      client.send({ argv: ['/not/there'] });
      expect(await client.closed).toMatchObject({ code: 1008 });
      expect(client.frames).toMatchObject([{ type: 'error', code: 'command-refused' }]);
    });

    it('runs on when the server ends, and is found by attaching to it at the next one', async () => {
      const first = await serve();
      const client = await openSocket(`${first.base}/exec`, HEADERS);
      client.send({ command: 'echo begin; read line; echo "got $line"', stdin: true, key: randomUUID() });
      const { process } = (await client.text('started')) as unknown as { process: { id: string } };
      await client.until(() => client.bytes(1).toString() === 'begin\n');
      await first.app.close();
      expect((await client.closed).code).toBe(1001);
      expect(await runtime.process(process.id)).toMatchObject({ running: true });

      const next = await open(`processes/${process.id}/attach?offset=2`);
      expect(await next.text('started')).toMatchObject({ offset: 2, process: { id: process.id } });
      next.sendBytes('ice\n');
      await next.closed;
      expect(next.bytes(1).toString()).toBe('gin\ngot ice\n');
      expect(next.frames.at(-1)).toMatchObject({ type: 'exit', code: 0 });
    });
  });

  it('what cannot be served is answered before the upgrade', async () => {
    const key = randomUUID();
    await expect(open('processes/none-1/attach')).rejects.toMatchObject({ status: 404 });
    await expect(pty(key, '&container_user=nobody-of-that-name')).rejects.toMatchObject({ status: 409 });
    await expect(pty('no-uuid')).rejects.toMatchObject({ status: 400 });
    const elsewhere = `${base.slice(0, base.lastIndexOf('/'))}/nope`;
    for (const path of ['exec', `pty?reconnect=${key}`, 'processes/x-1/attach']) {
      await expect(openSocket(`${elsewhere}/${path}`, HEADERS)).rejects.toMatchObject({ status: 404 });
    }
  });

  it(
    'a devcontainer that does not run is refused before the upgrade',
    async () => {
      const { done } = await library.api.stopDevcontainer(id);
      await done;
      // The end of the operation is told before the next look at the container.
      await library.until(folder, 'a stopped container', ({ container }) => container?.running === false);
      for (const path of ['exec', `pty?reconnect=${randomUUID()}`, 'processes/x-1/attach']) {
        await expect(open(path)).rejects.toMatchObject({
          status: 409,
          body: { message: 'Devcontainer is not running' },
        });
      }
    },
    2 * PATIENCE,
  );
});
