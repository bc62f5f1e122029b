import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { CommandSpec, RunningCommand } from '../agentcontainers/ports.ts';
import { createDeferred } from '../async/deferred.ts';
import { AgentContainersError } from '../errors.ts';
import type { ErrorCode } from '../errors.ts';
import type { DevcontainerRuntime } from '../agentcontainers/api.ts';
import type { RouterOptions } from './router.ts';
import { untilNextPing } from './test-server.ts';
import { FakeProcess } from './test-process.ts';
import { openSocket, serveRuntime, soon } from './test-sockets.ts';

interface Started {
  readonly spec: CommandSpec;
  readonly signal: AbortSignal;
}

/** Serves `command`, and keeps what it was started with. */
async function serve(
  command = new FakeProcess(),
  script: Partial<DevcontainerRuntime> = {},
  options: RouterOptions = {},
) {
  const started: Started[] = [];
  const served = await serveRuntime(
    {
      exec: async (spec, signal) => {
        started.push({ spec, signal: signal as AbortSignal });
        return command.running;
      },
      ...script,
    },
    options,
  );
  return { ...served, command, started, open: (...more: never[]) => openSocket(served.url('exec'), ...more) };
}

const START = { argv: ['cat'], stdin: true };

test('a command is started, its outputs come apart, and its end is the last frame', async () => {
  const { open, command, started, asked } = await serve();
  const client = await open();
  client.send({ command: 'make', cwd: 'src', env: { A: 'b', C: null }, user: 'dev', timeout_ms: 5, grace_ms: 7 });
  expect(await client.text('started')).toMatchObject({ process: { id: 'abcd-1', running: true, via: 'resident' } });
  await command.print('out');
  await command.print('err', 'stderr');
  command.exit({ code: 3, survivors: [9], backgroundHeld: true });
  expect(await client.closed).toEqual({ code: 1000, reason: 'The command has ended.' });
  expect([client.bytes(1).toString(), client.bytes(2).toString()]).toEqual(['out', 'err']);
  expect(client.frames.at(-1)).toEqual({
    type: 'exit',
    code: 3,
    signal: null,
    reason: 'exit',
    survivors: [9],
    background_held: true,
    via: 'resident',
  });
  expect(asked).toEqual(['dc-1']);
  expect(started[0]?.spec).toMatchObject({
    command: 'make',
    cwd: 'src',
    env: { A: 'b', C: null },
    user: 'dev',
    timeoutMs: 5,
    graceMs: 7,
  });
  expect(started[0]?.signal.aborted).toBe(false);
});

test('bytes are intact, also of characters that are cut in two', async () => {
  const { open, command } = await serve();
  const client = await open();
  client.send(START);
  const euro = Buffer.from('€');
  const all = Buffer.from(Array.from({ length: 512 }, (_, n) => n & 255));
  for (const piece of [euro.subarray(0, 1), euro.subarray(1), all]) await command.print(piece);
  command.exit();
  await client.closed;
  expect(client.bytes(1)).toEqual(Buffer.concat([euro, all]));
  client.ws.terminate();
});

test('standard input arrives in order, also what was sent before the command ran, and its end after it', async () => {
  const ready = createDeferred<RunningCommand>();
  const command = new FakeProcess();
  const { open } = await serve(command, { exec: () => ready.promise });
  const client = await open();
  client.send(START);
  client.sendBytes('one ');
  client.sendBytes('two ');
  client.sendBytes('');
  // Its end can be said twice.
  client.sendBytes('');
  await turn();
  command.gate = createDeferred();
  ready.resolve(command.running);
  await client.text('started');
  await soon(() => command.inputBytes).toBe(8);
  expect(command.input).toEqual([]);
  command.gate.resolve();
  await soon(() => command.input).toEqual(['one ', 'two ', '<end>']);
});

test('no more standard input is read than the command takes, and none is lost', async () => {
  const { open, command } = await serve();
  const client = await open();
  client.send(START);
  await client.text('started');
  command.gate = createDeferred();
  // More than the buffers of the kernel take for one connection.
  const total = 32 * 1024 * 1024;
  const piece = Buffer.alloc(64 * 1024, 'x');
  for (let sent = 0; sent < total; sent += piece.length) client.sendBytes(piece);
  await soon(() => command.inputBytes).toBeGreaterThanOrEqual(256 * 1024);
  for (let n = 0; n < 200; n++) await turn();
  expect(command.inputBytes).toBeLessThan(2 * 1024 * 1024);
  expect(client.ws.bufferedAmount).toBeGreaterThan(1024 * 1024);
  command.gate.resolve();
  command.gate = undefined;
  await soon(() => command.inputBytes).toBe(total);
});

test('a slow reader slows its command down and nobody else, and loses nothing', async () => {
  const slow = new FakeProcess();
  const quick = new FakeProcess();
  const both = [slow.running, quick.running];
  const { open, clock } = await serve(slow, { exec: async () => both.shift() as RunningCommand });
  const sleeper = await open();
  sleeper.send(START);
  await sleeper.text('started');
  sleeper.ws.pause();
  const total = 48 * 1024 * 1024;
  const piece = Buffer.alloc(64 * 1024);
  let isDone = false;
  const printing = (async () => {
    for (let at = 0; at < total; at += piece.length) {
      piece.writeUInt32BE(at, 0);
      await slow.print(Buffer.from(piece));
    }
    isDone = true;
    slow.exit();
  })();
  // Whoever stops reading is not taken for dead.
  for (let n = 0; n < 6; n++) {
    for (let turns = 0; turns < 100; turns++) await turn();
    await clock.run(15_000);
  }
  expect(isDone).toBe(false);
  const printed = slow.at;
  for (let turns = 0; turns < 100; turns++) await turn();
  expect(slow.at).toBe(printed);

  const other = await open();
  other.send(START);
  await other.text('started');
  await quick.print('quick');
  await other.until(() => other.bytes(1).toString() === 'quick');

  sleeper.ws.resume();
  await printing;
  expect((await sleeper.closed).code).toBe(1000);
  const received = sleeper.bytes(1);
  expect(received.length).toBe(total);
  for (let at = 0; at < total; at += piece.length) expect(received.readUInt32BE(at)).toBe(at);
  expect(sleeper.frames.at(-1)).toMatchObject({ type: 'exit', code: 0 });
});

test.each([
  ['closes', 'close'],
  ['breaks off', 'terminate'],
] as const)('the tree ends when the client %s', async (_what, leave) => {
  const { open, command, started, clock } = await serve();
  const client = await open();
  client.send(START);
  await client.text('started');
  client.ws[leave]();
  await soon(() => started[0]?.signal.aborted).toBe(true);
  expect(started[0]?.signal.reason).toMatchObject({ code: 'cancelled', details: { reason: 'caller-left' } });
  command.exit({ code: null, reason: 'killed' });
  expect(command.detaches).toBe(0);
  await soon(() => clock.pending()).toEqual([]);
});

test('the tree ends when the client closes without reading what it was sent', async () => {
  const { open, command, started, clock } = await serve();
  const client = await open();
  client.send(START);
  await client.text('started');
  client.ws.pause();
  for (let at = 0; at < 48; at++) void command.print(Buffer.alloc(1024 * 1024));
  await soon(() => clock.pending().map(({ tag }) => tag)).toContain('http: look at a held up WebSocket');
  client.ws.close();
  for (let turns = 0; turns < 100; turns++) await turn();
  await clock.run(1000);
  expect(started[0]?.signal.aborted).toBe(true);
});

test('the tree ends when the client goes while its input waits', async () => {
  const { open, command, started, clock } = await serve();
  const client = await open();
  client.send(START);
  await client.text('started');
  command.gate = createDeferred();
  for (let n = 0; n < 32; n++) client.sendBytes(Buffer.alloc(1024 * 1024));
  await soon(() => clock.pending().map(({ tag }) => tag)).toContain('http: look at a held up WebSocket');
  client.ws.terminate();
  await soon(async () => {
    await clock.run(1000);
    return started[0]?.signal.aborted;
  }).toBe(true);
  command.gate.resolve();
});

test('a client that leaves before its command runs ends the start', async () => {
  const signals: AbortSignal[] = [];
  const { open } = await serve(undefined, {
    exec: (_spec, signal) => {
      signals.push(signal as AbortSignal);
      return createDeferred<RunningCommand>().promise;
    },
  });
  const client = await open();
  client.send(START);
  await soon(() => signals.length).toBe(1);
  client.ws.close();
  await soon(() => signals[0]?.aborted).toBe(true);
});

test('detaching lets the command run on', async () => {
  const { open, command, started } = await serve();
  const client = await open();
  client.send(START);
  client.send({ type: 'detach' });
  expect(await client.closed).toEqual({ code: 1000, reason: 'Detached: the command runs on.' });
  expect(command.detaches).toBe(1);
  expect(started[0]?.signal.aborted).toBe(false);
  expect(client.texts('exit')).toEqual([]);
});

test('a client that detaches and leaves before its command runs lets it run, with all of its input', async () => {
  const ready = createDeferred<RunningCommand>();
  const signals: AbortSignal[] = [];
  const command = new FakeProcess();
  const { open } = await serve(command, {
    exec: (_spec, signal) => {
      signals.push(signal as AbortSignal);
      return ready.promise;
    },
  });
  const client = await open();
  client.send(START);
  client.sendBytes('input');
  client.send({ type: 'detach' });
  client.ws.close();
  await client.closed;
  await soon(() => signals.length).toBe(1);
  command.gate = createDeferred();
  ready.resolve(command.running);
  await soon(() => command.inputBytes).toBe(5);
  expect([command.detaches, signals[0]?.aborted]).toEqual([0, false]);
  command.gate.resolve();
  await soon(() => command.detaches).toBe(1);
  expect(command.input).toEqual(['input']);
});

test('the server closes with 1001, lets commands run on, and refuses new ones', async () => {
  const { open, command, started, router, clock } = await serve();
  const client = await open();
  client.send(START);
  await client.text('started');
  await router.close();
  expect(await client.closed).toEqual({ code: 1001, reason: 'The server is closing.' });
  expect(command.detaches).toBe(1);
  expect(started[0]?.signal.aborted).toBe(false);
  await expect(open()).rejects.toMatchObject({ status: 503, body: { message: 'API closed' } });
  expect(clock.pending()).toEqual([]);
});

test('the server lets go of a command only when that has been given the input that was taken, or the time is over', async () => {
  for (const isRead of [true, false]) {
    const command = new FakeProcess();
    let written = 0;
    const { open, router, clock } = await serve(command, {
      process: async () => ({ ...command.process, stdin: { written, isOpen: true } }),
    });
    const client = await open();
    client.send(START);
    await client.text('started');
    client.sendBytes('input');
    client.sendBytes('');
    await soon(() => command.input).toEqual(['input', '<end>']);
    const closed = router.close();
    await soon(() => clock.pending().map(({ tag }) => tag)).toContain('http: flush input');
    expect(command.detaches).toBe(0);
    if (isRead) written = 5;
    await clock.run(isRead ? 50 : 2_000);
    await closed;
    expect(command.detaches).toBe(1);
    expect(clock.pending()).toEqual([]);
  }
});

test('no more signals are taken than can be sent', async () => {
  const gate = createDeferred<void>();
  let signals = 0;
  const { open } = await serve(new FakeProcess(), {
    signal: () => {
      signals++;
      return gate.promise;
    },
  });
  const client = await open();
  client.send(START);
  await client.text('started');
  const total = 20_000;
  for (let n = 0; n < total; n++) client.send({ type: 'signal', signal: 'WINCH' });
  await soon(() => signals).toBeGreaterThan(500);
  for (let n = 0; n < 200; n++) await turn();
  // What was in one read of the connection is still handed on.
  expect(signals).toBeLessThan(5_000);
  gate.resolve();
  await soon(() => signals).toBe(total);
});

test('a command that comes up after the server has closed is let go of', async () => {
  const ready = createDeferred<RunningCommand>();
  const signals: AbortSignal[] = [];
  const command = new FakeProcess();
  const { open, router } = await serve(command, {
    exec: (_spec, signal) => {
      signals.push(signal as AbortSignal);
      return ready.promise;
    },
  });
  const client = await open();
  client.send(START);
  await soon(() => signals.length).toBe(1);
  await router.close();
  ready.resolve(command.running);
  await soon(() => command.detaches).toBe(1);
  expect(signals[0]?.aborted).toBe(false);
});

test('a client that does not take part in the closing does not hold the server up', async () => {
  const { open, command, router, clock } = await serve();
  const client = await open();
  client.send(START);
  await client.text('started');
  client.ws.pause();
  void command.print(Buffer.alloc(48 * 1024 * 1024));
  const closing = router.close();
  await soon(() => clock.pending().map(({ tag }) => tag)).toContain('http: close a WebSocket');
  await clock.run(2000);
  await closing;
  expect(clock.pending()).toEqual([]);
});

test('signals and sizes reach the command, of sizes that come close together the last', async () => {
  const calls: unknown[] = [];
  const first = createDeferred<void>();
  const command = new FakeProcess({ tty: { width: 80, height: 24 } });
  const { open } = await serve(command, {
    signal: async (id, name, options) => void calls.push([id, name, options]),
    resize: async (id, size) => {
      calls.push([id, size]);
      await first.promise;
    },
  });
  const client = await open();
  client.send({ argv: ['sh'], tty: { width: 80, height: 24 } });
  for (const width of [81, 82, 83]) client.send({ type: 'resize', width, height: 30 });
  client.send({ type: 'signal', signal: 'SIGINT' });
  client.send({ type: 'signal', signal: 'TERM', tree: true });
  await soon(() => calls.length).toBe(3);
  first.resolve();
  await soon(() => calls.length).toBe(4);
  expect(calls).toEqual([
    ['abcd-1', { width: 81, height: 30 }],
    ['abcd-1', 'SIGINT', {}],
    ['abcd-1', 'TERM', { tree: true }],
    ['abcd-1', { width: 83, height: 30 }],
  ]);
});

test('a signal that cannot be sent is told, and the connection goes on', async () => {
  const { open, command } = await serve(undefined, {
    signal: () => Promise.reject(new AgentContainersError('runtime-unavailable', 'Signalling failed: no resident.')),
  });
  const client = await open();
  client.send(START);
  client.send({ type: 'signal', signal: 'INT' });
  expect(await client.text('error')).toMatchObject({
    code: 'runtime-unavailable',
    detail: 'Signalling failed: no resident.',
  });
  await command.print('still here');
  await client.until(() => client.bytes(1).toString() === 'still here');
});

test('a signal overtakes input that the command does not take', async () => {
  const signals: string[] = [];
  const { open, command } = await serve(undefined, { signal: async (_id, name) => void signals.push(name) });
  const client = await open();
  client.send(START);
  await client.text('started');
  command.gate = createDeferred();
  client.sendBytes(Buffer.alloc(100_000));
  client.send({ type: 'signal', signal: 'INT' });
  await soon(() => signals).toEqual(['INT']);
  command.gate.resolve();
});

test.each<[ErrorCode, number, string]>([
  ['command-refused', 1008, 'The container refused it'],
  ['devcontainer-not-running', 1008, 'Devcontainer is not running'],
  ['timeout', 1011, 'Timed out'],
  ['broken-contract', 1011, 'Internal error'],
])('a start that is refused with %s is told before the close', async (code, close, message) => {
  const { open } = await serve(undefined, {
    exec: () => Promise.reject(new AgentContainersError(code, 'Running "nope" failed: there is no such program.')),
  });
  const client = await open();
  client.send(START);
  expect((await client.closed).code).toBe(close);
  expect(client.frames).toMatchObject([{ type: 'error', message }]);
});

test('a start that is no start is answered with what is wrong with it, and nothing is started', async () => {
  const { open, started } = await serve();
  const client = await open();
  client.send({ argv: ['a'], command: 'b', shell: true });
  // Not taken for another start.
  client.send(START);
  expect(await client.closed).toMatchObject({ code: 1008 });
  expect(client.frames).toMatchObject([{ type: 'error', message: 'Invalid request' }]);
  const [{ validations }] = client.texts() as unknown as [{ validations: { field: string }[] }];
  expect(validations.map(({ field }) => field).sort()).toEqual(['argv', 'shell']);
  expect(started).toEqual([]);
});

test('a start that does not come is not waited for', async () => {
  const { open, clock } = await serve();
  const client = await open();
  await soon(() => clock.pending().map(({ tag }) => tag)).toContain('http: start of a command');
  await clock.run(10_000);
  expect(await client.closed).toEqual({ code: 1008, reason: 'No start came.' });
  await soon(() => clock.pending()).toEqual([]);
});

const BAD: [string, string | Buffer, boolean, number, string | RegExp][] = [
  ['text that is no JSON', '{"type":', false, 1007, 'The frame must be JSON.'],
  ['text that is not UTF-8', Buffer.from([0x22, 0xff, 0x22]), false, 1007, 'A text frame must be UTF-8.'],
  ['an unknown control', '{"type":"shout"}', false, 1008, /^The frame is not valid\. type/],
  ['a size that is none', '{"type":"resize","width":0,"height":5}', false, 1008, /width: Must be at least 1/],
  ['a signal that is none', '{"type":"signal","signal":"rm -rf"}', false, 1008, /name of a signal/],
  ['a list', '[]', false, 1008, /not valid/],
  [
    'a long control',
    JSON.stringify({ type: 'x'.repeat(70_000) }),
    false,
    1009,
    'A text frame has at most 65536 bytes.',
  ],
  ['an oversized frame', Buffer.alloc(1024 * 1024 + 1), true, 1009, ''],
  ['input that was not asked for', 'x', true, 1008, /Standard input was not asked for/],
];
test.each(BAD)(
  '%s ends the connection with its code, a reason and the tree',
  async (_what, content, binary, code, reason) => {
    const { open, started } = await serve();
    const client = await open();
    client.send({ argv: ['true'] });
    await client.text('started');
    client.ws.send(content, { binary });
    expect(await client.closed).toEqual({
      code,
      reason: typeof reason === 'string' ? reason : expect.stringMatching(reason),
    });
    expect(started[0]?.signal.aborted).toBe(true);
  },
);

test.each([
  ['binary', Buffer.from('{"argv":["true"]}'), 1008],
  ['no JSON', 'argv', 1007],
] as const)('a first frame that is %s starts nothing', async (_what, content, code) => {
  const { open, started } = await serve();
  const client = await open();
  client.ws.send(content);
  client.send(START);
  expect((await client.closed).code).toBe(code);
  expect(started).toEqual([]);
});

test('input after its end ends the connection', async () => {
  const { open } = await serve();
  const client = await open();
  client.send(START);
  client.sendBytes('');
  client.sendBytes('more');
  expect(await client.closed).toEqual({ code: 1008, reason: 'Standard input was at its end already.' });
});

test('input that a command has no use for any more ends nothing', async () => {
  const command = new FakeProcess();
  const { open } = await serve(command, {
    exec: async () => ({ ...command.running, write: () => Promise.reject(new Error('it has ended')) }),
  });
  const client = await open();
  client.send(START);
  client.sendBytes('yes');
  client.sendBytes('');
  await client.text('started');
  command.exit();
  expect((await client.closed).code).toBe(1000);
});

test('output that breaks off is told, and the end if it is known', async () => {
  const error = new AgentContainersError('runtime-unavailable', 'Running "cat" failed: the container has gone.');
  const first = await serve();
  const client = await first.open();
  client.send(START);
  await client.text('started');
  first.command.fail(error);
  expect(await client.closed).toEqual({ code: 1011, reason: 'Running "cat" failed: the container has gone.' });
  expect(client.frames.at(-1)).toMatchObject({ type: 'error', code: 'runtime-unavailable' });
  expect(first.started[0]?.signal.aborted).toBe(true);

  const second = await serve();
  const other = await second.open();
  other.send(START);
  await other.text('started');
  second.command.lost(error);
  expect((await other.closed).code).toBe(1011);
  expect(other.texts().map(({ type }) => type)).toEqual(['started', 'error', 'exit']);
  expect(other.frames.at(-1)).toMatchObject({ reason: 'lost', code: null });
});

test('output that was not kept is told of', async () => {
  const { open, command } = await serve();
  const client = await open();
  client.send({ ...START, overflow: 'drop' });
  await command.print('abc');
  command.lose(10);
  await command.print('def');
  command.exit();
  await client.closed;
  expect(client.texts('skipped')).toEqual([{ type: 'skipped', offset: 13, bytes: 10 }]);
  expect(client.bytes(1).toString()).toBe('abcdef');
});

test('a client that answers pings stays, one that does not is dropped at the next, and its tree ends', async () => {
  const signals: AbortSignal[] = [];
  const { open, url, clock } = await serve(undefined, {
    exec: async (_spec, signal) => {
      signals.push(signal as AbortSignal);
      return new FakeProcess().running;
    },
  });
  const alive = await open();
  const dead = await openSocket(url('exec'), {}, { autoPong: false });
  for (const client of [alive, dead]) {
    client.send(START);
    await client.text('started');
  }
  await untilNextPing(clock, alive.ws, dead.ws);
  expect((await dead.closed).code).toBe(1006);
  expect(signals.map(({ aborted }) => aborted)).toEqual([false, true]);
  expect(alive.ws.readyState).toBe(alive.ws.OPEN);
});

test('frames are not compressed, although the client offers it', async () => {
  const { url } = await serve();
  const client = await openSocket(url('exec'), {}, { perMessageDeflate: true });
  expect(client.ws.extensions).toBe('');
});
