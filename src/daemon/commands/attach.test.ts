import { afterEach, expect, test, vi } from 'vitest';
import type { WebSocket } from 'ws';
import { createDeferred } from '../../async/deferred.ts';
import type { WireProcess } from '../../http/runtime-wire-schemas.ts';
import { attach, type AttachFlags } from './attach.ts';
import { shell } from './shell.ts';
import { Refusal } from './test-context.ts';
import {
  EXITED,
  frames,
  startTestDaemon,
  type TestDaemon,
  testWorld,
  wireProcess,
  worldContext,
} from './test-daemon.ts';

let daemon: TestDaemon;
afterEach(() => daemon.stop());

const TERMINAL = wireProcess({ kind: 'terminal', tty: { width: 80, height: 24 }, argv: ['bash'] });
const BACKGROUND = wireProcess({ kind: 'background', output: { start: 5, end: 9 } });
const PROCESS = '/devcontainers/dc-1/processes/ab12-1';

async function serve(process: WireProcess, play: (ws: WebSocket) => void, routes: Record<string, unknown> = {}) {
  const seen = { path: '', input: [] as Buffer[], text: [] as unknown[], closed: createDeferred<number>() };
  daemon = await startTestDaemon({
    routes: { [`GET ${PROCESS}`]: process, ...routes },
    onSocket(ws, path) {
      seen.path = path;
      ws.on('message', (frame: Buffer, isBinary) => {
        if (isBinary) seen.input.push(frame);
        else seen.text.push(JSON.parse(frame.toString()));
      });
      ws.on('close', (code) => seen.closed.resolve(code));
      frames.started(ws, process, process.output.start);
      play(ws);
    },
  });
  return seen;
}

const start = (world: ReturnType<typeof testWorld>, flags: AttachFlags = {}, json = false): Promise<number> =>
  attach(worldContext(daemon, world, { json }), flags, 'app', 'ab12-1', world);

test('a terminal is shown from what is kept on, takes the size of this one, and passes its exit code on', async () => {
  const seen = await serve(TERMINAL, (ws) => {
    frames.output(ws, 1, 'before');
    ws.on('message', () => frames.exit(ws, { code: 3 }));
  });
  const world = testWorld({ tty: true });
  const ended = start(world);
  await vi.waitFor(() => expect(world.raw).toEqual([true]));
  world.stdin.write('exit 3\r');
  expect(await ended).toBe(3);
  expect(seen.path).toBe(`${PROCESS}/attach?offset=0&width=100&height=30`);
  expect(world.out().toString()).toBe('before');
  expect(Buffer.concat(seen.input).toString()).toBe('exit 3\r');
  expect(world.raw).toEqual([true, false]);
});

test('Ctrl-P Ctrl-Q leaves it running, puts the terminal back, and says how to come back', async () => {
  const seen = await serve(TERMINAL, (ws) => frames.output(ws, 1, '\u001b[?1049h'));
  const world = testWorld({ tty: true });
  const ended = start(world);
  await vi.waitFor(() => expect(world.out().length).toBeGreaterThan(0));
  world.stdin.write('\u0010');
  world.stdin.write('\u0011');
  expect(await ended).toBe(0);
  expect(await seen.closed.promise).toBe(1_000);
  expect(seen.text).toEqual([{ type: 'detach' }]);
  expect(world.err()).toContain('agentcontainers attach app ab12-1');
  expect(world.out().toString()).toContain('\u001b[?1049l');
  expect(world.raw).toEqual([true, false]);
});

test.each(['SIGHUP', 'SIGTERM'] as const)('%s leaves it running', async (signal) => {
  const seen = await serve(TERMINAL, (ws) => frames.output(ws, 1, '$'));
  const world = testWorld({ tty: true });
  const ended = start(world);
  await vi.waitFor(() => expect(world.raw).toEqual([true]));
  world.signal(signal);
  expect(await ended).toBe(signal === 'SIGHUP' ? 129 : 143);
  expect(seen.text).toEqual([{ type: 'detach' }]);
  expect(daemon.calls().some((call) => call.includes('/kill') || call.includes('/signal'))).toBe(false);
});

test('with --read-only nothing is passed on, no size either, and Ctrl-C leaves', async () => {
  const seen = await serve(TERMINAL, (ws) => frames.output(ws, 1, '$'));
  const world = testWorld({ tty: true });
  const ended = start(world, { readOnly: true });
  await vi.waitFor(() => expect(world.raw).toEqual([true]));
  world.stdin.write('rm -rf /\r');
  world.resize(10, 10);
  world.stdin.write('\u0003');
  expect(await ended).toBe(0);
  expect(seen.path).toBe(`${PROCESS}/attach?offset=0&read_only=true`);
  expect([seen.input, seen.text]).toEqual([[], [{ type: 'detach' }]]);
});

test('a terminal that there is none for here is refused, but can be looked at', async () => {
  await serve(TERMINAL, (ws) => {
    frames.output(ws, 1, '\u001b[?1049hraw');
    frames.exit(ws);
  });
  await expect(start(testWorld())).rejects.toMatchObject({
    code: 'invalid-request',
    message: expect.stringContaining('--read-only'),
  });
  const world = testWorld();
  expect(await start(world, { readOnly: true })).toBe(0);
  // As it was written: nothing of ours is added to what may be a file.
  expect(world.out().toString()).toBe('\u001b[?1049hraw');
});

test('a command in the background is shown, says what is gone, and takes input only when asked for', async () => {
  const seen = await serve(BACKGROUND, (ws) => {
    frames.output(ws, 1, 'out');
    frames.output(ws, 2, 'err');
    ws.on('message', () => frames.exit(ws, { code: null, signal: 'SIGTERM', reason: 'signal' }));
  });
  const world = testWorld({ tty: true });
  world.stdin.end('in');
  expect(await start(world, { stdin: true })).toBe(143);
  expect(seen.path).toBe(`${PROCESS}/attach?offset=0`);
  expect(world.out().toString()).toBe('out');
  expect(world.err()).toBe('The first 5 bytes of its output are no longer kept.\nerr');
  expect(world.raw).toEqual([]);
  const other = testWorld();
  const ended = start(other);
  await vi.waitFor(() => expect(other.out().toString()).toBe('out'));
  other.signal('SIGINT');
  expect(await ended).toBe(130);
  expect(other.err()).toContain('It runs on.');
});

test('with --json its lines are printed', async () => {
  const line = { type: 'exit', code: 4, signal: null, reason: 'exit', via: 'resident' };
  await serve(BACKGROUND, () => {}, { [`GET ${PROCESS}/output`]: Buffer.from(`${JSON.stringify(line)}\n`) });
  const world = testWorld();
  expect(await start(world, {}, true)).toBe(4);
  expect(JSON.parse(world.out().toString())).toEqual(line);
  expect(daemon.calls()).toContain(`GET ${PROCESS}/output?offset=0&follow=true`);
});

test('a process that is not there is told with the way to those that are', async () => {
  const gone = new Refusal(404, { message: 'Process not found', code: 'process-not-found' });
  await serve(TERMINAL, () => {}, { [`GET ${PROCESS}`]: gone });
  await expect(start(testWorld({ tty: true }))).rejects.toMatchObject({
    code: 'process-not-found',
    details: { detail: expect.stringContaining('agentcontainers ps -a app') },
  });
});

test('shell starts the login shell in a terminal and attaches to it', async () => {
  await serve(
    TERMINAL,
    (ws) => {
      frames.output(ws, 1, '$ ');
      frames.exit(ws, { ...EXITED, code: 5 });
    },
    { 'POST /devcontainers/dc-1/processes': TERMINAL },
  );
  const world = testWorld({ tty: true });
  expect(await shell(worldContext(daemon, world), { env: {}, user: 'root' }, 'app', world)).toBe(5);
  expect(daemon.json('POST /devcontainers/dc-1/processes')).toEqual({
    argv: ['/bin/sh', '-c', expect.stringContaining('"$shell" -l')],
    tty: { width: 100, height: 30 },
    user: 'root',
  });
});

test('shell without a terminal says what to do instead, and with --json only starts it', async () => {
  await serve(TERMINAL, () => {}, { 'POST /devcontainers/dc-1/processes': TERMINAL });
  const world = testWorld();
  await expect(shell(worldContext(daemon, world), { env: {} }, 'app', world)).rejects.toMatchObject({
    code: 'invalid-request',
    message: expect.stringContaining('agentcontainers exec app -- <command>'),
  });
  expect(await shell(worldContext(daemon, world, { json: true }), { env: {} }, 'app', world)).toBe(0);
  expect(JSON.parse(world.out().toString())).toMatchObject({ id: 'ab12-1' });
});

test.each([
  ['cwd-not-found', '--workdir'],
  ['user-not-found', '/etc/passwd'],
])('shell that is refused for %s ends as exec does', async (reason, next) => {
  const refusal = new Refusal(409, { message: 'Refused', code: 'command-refused', detail: 'It is not there.', reason });
  await serve(TERMINAL, () => {}, { 'POST /devcontainers/dc-1/processes': refusal });
  const world = testWorld({ tty: true });
  expect(await shell(worldContext(daemon, world), { env: {} }, 'app', world)).toBe(126);
  expect(world.err()).toMatch(/^error: It is not there\.\n/);
  expect(world.err()).toContain(next);
  const json = testWorld();
  expect(await shell(worldContext(daemon, json, { json: true }), { env: {} }, 'app', json)).toBe(126);
  expect(JSON.parse(json.out().toString())).toMatchObject({ error: { code: 'command-refused' } });
});

test('shell where no resident runs says what is possible there', async () => {
  const refusal = new Refusal(503, {
    message: 'What runs in the container cannot be reached',
    code: 'runtime-unavailable',
    reason: 'resident-needed',
    detail: 'Opening a terminal failed: this daemon has none. It needs the resident, and this goes through the engine.',
  });
  await serve(TERMINAL, () => {}, { 'POST /devcontainers/dc-1/processes': refusal });
  const world = testWorld({ tty: true });
  await expect(shell(worldContext(daemon, world), { env: {} }, 'app', world)).rejects.toMatchObject({
    message: expect.stringContaining('needs the resident'),
    details: { next: expect.stringContaining('exec -T app') },
  });
});
