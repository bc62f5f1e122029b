import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { DevcontainerRuntime } from '../agentcontainers/api.ts';
import type { CommandProcess, CommandSpec } from '../agentcontainers/ports.ts';
import { AgentContainersError } from '../errors.ts';
import type { ErrorCode } from '../errors.ts';
import { LOGIN_SHELL } from './login-shell.ts';
import { FakeProcess } from './test-process.ts';
import { openSocket, serveRuntime, soon } from './test-sockets.ts';

const KEY = '3f2504e0-4f89-11d3-9a0c-0305e82c3301';

/** A container with one terminal, which each attach views for itself. */
async function serve(script: Partial<DevcontainerRuntime> = {}, made: Partial<CommandProcess>[] = []) {
  const spawned: CommandSpec[] = [];
  const attaches: unknown[] = [];
  const views: FakeProcess[] = [];
  let present: Partial<CommandProcess>[] = made;
  const view = (part: Partial<CommandProcess> | undefined): FakeProcess => {
    const process = new FakeProcess({ kind: 'terminal', ...part });
    views.push(process);
    return process;
  };
  const served = await serveRuntime({
    processes: async () => present.map((part) => new FakeProcess(part).process),
    spawn: async (spec) => {
      spawned.push(spec);
      present = [{ id: 'abcd-9', key: spec.key, tty: spec.tty ?? null }];
      return new FakeProcess(present[0]).process;
    },
    attach: async (id, options) => {
      attaches.push([id, options]);
      return view(present.find((part) => part.id === id)).attached;
    },
    ...script,
  });
  const open = (query = '', ...more: [Record<string, string>?, object?]) =>
    openSocket(served.url(`pty?reconnect=${KEY}${query}`), ...more);
  return { ...served, open, spawned, attaches, views };
}

test('a new terminal is a login shell of the size asked for, its key is the value of reconnect', async () => {
  const { open, spawned, attaches, views } = await serve();
  const client = await open('&width=120&height=50&container_user=dev');
  expect(spawned).toEqual([
    {
      argv: LOGIN_SHELL,
      user: 'dev',
      tty: { width: 120, height: 50 },
      key: KEY,
      overflow: 'drop',
    },
  ]);
  expect(attaches).toEqual([['abcd-9', { offset: 0, size: { width: 120, height: 50 } }]]);
  expect(client.headers).toMatchObject({ 'agentcontainers-process': 'abcd-9', 'agentcontainers-offset': '0' });
  const screen = Buffer.from([0x1b, 0x5b, 0xe2, 0x82, 0xff, 0x00]);
  await views[0]?.print(screen);
  await client.until(() => client.bytes().equals(screen));
  expect(client.texts()).toEqual([]);
});

test('without more a terminal has 80 columns and 24 rows; a command of its own is taken', async () => {
  const { open, spawned } = await serve();
  await open('&command=top%20-d%201');
  expect(spawned).toMatchObject([{ command: 'top -d 1', user: undefined, tty: { width: 80, height: 24 } }]);
});

test('the same value comes back to the same terminal, with its replay, and gives it its size', async () => {
  const { open, spawned, attaches, views } = await serve({}, [
    { id: 'abcd-3', key: KEY, tty: { width: 80, height: 24 }, command: 'vi', output: { start: 100, end: 900 } },
  ]);
  const client = await open('&width=80');
  expect(client.headers).toMatchObject({ 'agentcontainers-process': 'abcd-3', 'agentcontainers-offset': '100' });
  await views[0]?.print('the screen');
  await client.until(() => client.bytes().toString() === 'the screen');
  expect(spawned).toEqual([]);
  await open('&width=81&height=25&offset=400');
  // Said of another terminal, which had this key before.
  await open('&offset=901');
  expect(attaches).toEqual([
    ['abcd-3', { offset: 0, size: { width: 80 } }],
    ['abcd-3', { offset: 400, size: { width: 81, height: 25 } }],
    ['abcd-3', { offset: 0, size: {} }],
  ]);
});

test('of two that start it at the same time with two commands one comes to that of the other', async () => {
  const other = { id: 'abcd-4', key: KEY, tty: { width: 80, height: 24 } };
  let isThere = false;
  const { open } = await serve({
    processes: async () => (isThere ? [new FakeProcess(other).process] : []),
    spawn: () => {
      isThere = true;
      return Promise.reject(new AgentContainersError('command-refused', 'The key belongs to another command.'));
    },
  });
  expect((await open()).headers).toMatchObject({ 'agentcontainers-process': 'abcd-4' });
});

test.each([true, false])('of a terminal that has ended only who gives an offset sees the rest: %s', async (isKnown) => {
  const forgotten: string[] = [];
  const ended = {
    id: 'abcd-3',
    key: KEY,
    tty: { width: 80, height: 24 },
    running: false,
    output: { start: 0, end: 9 },
  };
  const { open, attaches, spawned } = await serve({ forget: async (id) => void forgotten.push(id) }, [ended]);
  await open(isKnown ? '&offset=4' : '');
  expect(attaches).toEqual([isKnown ? ['abcd-3', { offset: 4, size: {} }] : ['abcd-9', { offset: 0, size: {} }]]);
  expect([forgotten, spawned.length]).toEqual(isKnown ? [[], 0] : [['abcd-3'], 1]);
});

test('a key of a command without a terminal is refused', async () => {
  const { open } = await serve({}, [{ id: 'abcd-5', key: KEY, tty: null }]);
  await expect(open()).rejects.toMatchObject({ status: 409, body: { code: 'command-refused' } });
});

test('what is typed is written as it is, the last size wins, and binary frames may carry the same JSON', async () => {
  const sizes: unknown[] = [];
  const { open, views } = await serve({ resize: async (_id, size) => void sizes.push(size) });
  const one = await open();
  const two = await open();
  one.send({ data: 'ls €\r' });
  one.sendBytes(JSON.stringify({ data: '\u0003' }));
  one.send({});
  one.send({ width: 100, height: 30 });
  await soon(() => sizes.length).toBe(1);
  two.send({ height: 31, data: 'x' });
  await soon(() => sizes.length).toBe(2);
  expect(sizes).toEqual([
    { width: 100, height: 30 },
    { width: 80, height: 31 },
  ]);
  expect(views.map(({ input }) => input)).toEqual([['ls €\r', '\u0003'], ['x']]);
});

test('closing leaves the terminal, the end of the server too', async () => {
  const { open, views, router } = await serve();
  const one = await open();
  one.ws.close();
  await soon(() => views[0]?.detaches).toBeGreaterThan(0);
  const two = await open();
  await router.close();
  expect(await two.closed).toEqual({ code: 1001, reason: 'The server is closing.' });
  expect(views[1]?.detaches).toBeGreaterThan(0);
});

test.each([
  [{ code: 7 }, 'The terminal has ended: exit code 7.'],
  [{ code: null, signal: 'SIGHUP' }, 'The terminal has ended: SIGHUP.'],
  [{ code: null, reason: 'lost' as const }, 'The terminal has ended: lost.'],
])('the end of the terminal closes with 1000 after all of its output', async (exit, reason) => {
  const { open, views } = await serve();
  const client = await open();
  const content = 'line\r\n'.repeat(20_000);
  await views[0]?.print(content);
  views[0]?.exit(exit);
  expect(await client.closed).toEqual({ code: 1000, reason });
  expect(client.bytes().toString()).toBe(content);
});

test('a terminal that cannot be reached any more closes with 1011 and the reason', async () => {
  const { open, views } = await serve();
  const client = await open();
  views[0]?.fail(new AgentContainersError('runtime-unavailable', 'Attaching failed: the container has gone.'));
  expect(await client.closed).toEqual({ code: 1011, reason: 'Attaching failed: the container has gone.' });
});

test('a slow viewer is dropped with the offset to come back with, never waited for, and no other one', async () => {
  const { open, views } = await serve();
  const slow = await open();
  const quick = await open();
  slow.ws.pause();
  const piece = Buffer.alloc(64 * 1024, 'y');
  let printed = 0;
  // More than the buffers of the kernel take for one connection.
  while (views[0]?.detaches === 0) {
    expect(printed).toBeLessThan(256 * 1024 * 1024);
    await Promise.all(views.map((view) => view.print(piece)));
    printed += piece.length;
    await turn();
  }
  await quick.until(() => quick.bytes().length === printed);
  slow.ws.resume();
  const { code, reason } = await slow.closed;
  expect(code).toBe(1013);
  expect(reason).toBe(`Too slow for the terminal. Come back with offset=${slow.bytes().length}.`);
  quick.send({ data: 'still' });
  await soon(() => views[1]?.input).toEqual(['still']);
});

test('output that was not kept is missing for a viewer, and ends one that counts bytes, with where it goes on', async () => {
  const { open, views } = await serve();
  const plain = await open();
  const counting = await open('&offset=0');
  for (const view of views) {
    await view.print('abc');
    view.lose(7);
    await view.print('def');
  }
  expect(await counting.closed).toEqual({
    code: 1013,
    reason: 'Output was not kept until it came here. Come back with offset=10.',
  });
  expect(counting.bytes().toString()).toBe('abc');
  await plain.until(() => plain.bytes().toString() === 'abcdef');
});

test('many viewers of one terminal all see it', async () => {
  const { open, views } = await serve();
  const clients = await Promise.all(Array.from({ length: 30 }, () => open()));
  for (const view of views) void view.print('for all');
  for (const client of clients) await client.until(() => client.bytes().toString() === 'for all');
  expect(views).toHaveLength(30);
});

test.each([
  ['no JSON', '{', 1007],
  ['text that is not UTF-8', Buffer.from([0x7b, 0xff]), 1007],
  ['an unknown field', '{"data":"x","paste":true}', 1008],
  ['another type', '{"data":7}', 1008],
  ['a size that is none', '{"width":0}', 1008],
  ['an oversized frame', JSON.stringify({ data: 'x'.repeat(1024 * 1024) }), 1009],
] as const)('%s closes with its code and leaves the terminal', async (_what, content, code) => {
  const { open, views } = await serve();
  const client = await open();
  client.ws.send(content, { binary: false });
  expect((await client.closed).code).toBe(code);
  await soon(() => views[0]?.detaches).toBeGreaterThan(0);
  expect(views[0]?.input).toEqual([]);
});

test('a viewer that does not answer pings is dropped, whatever it was sent', async () => {
  const { open, views, clock } = await serve();
  const dead = await open('', {}, { autoPong: false });
  await clock.run(15_000);
  await views[0]?.print('x');
  await clock.run(15_000);
  expect((await dead.closed).code).toBe(1006);
});

test.each([
  ['reconnect=7', 'reconnect'],
  ['', 'reconnect'],
  [`reconnect=${KEY}&width=0`, 'width'],
  [`reconnect=${KEY}&height=10001`, 'height'],
  [`reconnect=${KEY}&width=1e3`, 'width'],
  [`reconnect=${KEY}&offset=-1`, 'offset'],
  [`reconnect=${KEY}&command=`, 'command'],
  [`reconnect=${KEY}&shell=bash`, 'shell'],
  [`reconnect=${KEY}&reconnect=${KEY}`, 'reconnect'],
])('the query %s is refused by field before the upgrade', async (query, field) => {
  const { url, spawned } = await serve();
  const refused = await openSocket(url(`pty?${query}`)).catch((error: unknown) => error);
  expect(refused).toMatchObject({ status: 400, body: { message: 'Invalid request' } });
  const { validations } = (refused as { body: { validations: { field: string }[] } }).body;
  expect(validations.map((one) => one.field)).toContain(field);
  expect(spawned).toEqual([]);
});

test.each<[ErrorCode, number]>([
  ['devcontainer-not-found', 404],
  ['devcontainer-not-running', 409],
  ['devcontainer-not-adopted', 403],
  ['command-refused', 409],
])('a terminal that is refused with %s has the status of that', async (code, status) => {
  const { open } = await serve({
    spawn: () => Promise.reject(new AgentContainersError(code, 'Running a shell failed.')),
  });
  await expect(open()).rejects.toMatchObject({ status, body: { code } });
});
