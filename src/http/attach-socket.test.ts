import { expect, test } from 'vitest';
import type { DevcontainerRuntime } from '../agentcontainers/api.ts';
import { createDeferred } from '../async/deferred.ts';
import { AgentContainersError } from '../errors.ts';
import { FakeProcess } from './test-process.ts';
import { openSocket, serveRuntime, soon } from './test-sockets.ts';

const TTY = { tty: { width: 80, height: 24 }, kind: 'terminal' } as const;

async function serve(process: FakeProcess, script: Partial<DevcontainerRuntime> = {}) {
  const attaches: unknown[] = [];
  const served = await serveRuntime({
    attach: async (id, options) => {
      attaches.push([id, options]);
      return process.attached;
    },
    ...script,
  });
  const open = (query = '') => openSocket(served.url(`processes/abcd-1/attach${query}`));
  return { ...served, attaches, open };
}

test('output comes from the offset asked for, after the process, and ends with its exit', async () => {
  const process = new FakeProcess({ output: { start: 0, end: 900 } });
  process.at = 500;
  const { open, attaches } = await serve(process);
  const client = await open('?offset=500');
  expect(await client.text('started')).toMatchObject({ offset: 500, process: { id: 'abcd-1' } });
  await process.print('out');
  await process.print('err', 'stderr');
  process.exit({ code: null, signal: 'SIGKILL', reason: 'signal' });
  expect(await client.closed).toMatchObject({ code: 1000 });
  expect([client.bytes(1).toString(), client.bytes(2).toString()]).toEqual(['out', 'err']);
  expect(client.frames.at(-1)).toMatchObject({ type: 'exit', signal: 'SIGKILL', reason: 'signal' });
  expect(client.texts('skipped')).toEqual([]);
  expect(attaches).toEqual([['abcd-1', { offset: 500, readOnly: false }]]);
});

test('where output begins is told when older output is gone, and what is lost on the way', async () => {
  const process = new FakeProcess({ output: { start: 700, end: 900 } });
  const { open } = await serve(process);
  const client = await open('?offset=10');
  expect(await client.text('started')).toMatchObject({ offset: 700 });
  process.lose(5);
  await process.print('x');
  process.exit();
  await client.closed;
  expect(client.texts('skipped')).toEqual([{ type: 'skipped', offset: 705, bytes: 5 }]);
});

test('input is written in order, and its end after it', async () => {
  const process = new FakeProcess();
  const { open } = await serve(process);
  const client = await open();
  process.gate = createDeferred();
  client.sendBytes('one ');
  client.sendBytes('two');
  client.sendBytes('');
  await soon(() => process.inputBytes).toBe(7);
  process.gate.resolve();
  await soon(() => process.input).toEqual(['one ', 'two', '<end>']);
});

test.each(['close', 'terminate'] as const)('a %s of the client ends the view only', async (leave) => {
  const process = new FakeProcess();
  const { open, clock } = await serve(process);
  const client = await open();
  await client.text('started');
  client.ws[leave]();
  await soon(() => process.detaches).toBeGreaterThan(0);
  expect(process.process.running).toBe(true);
  await soon(() => clock.pending()).toEqual([]);
});

test('what was written before the client left still arrives, unless that takes too long', async () => {
  for (const isTaken of [true, false]) {
    const process = new FakeProcess();
    const { open, clock } = await serve(process);
    const client = await open();
    process.gate = createDeferred();
    client.sendBytes('last words');
    client.ws.close();
    await client.closed;
    await soon(() => clock.pending().map(({ tag }) => tag)).toContain('deadline: Taking the last input');
    expect(process.detaches).toBe(0);
    if (isTaken) process.gate.resolve();
    else await clock.run(2000);
    await soon(() => process.detaches).toBe(1);
    expect(process.input).toEqual(isTaken ? ['last words'] : []);
  }
});

test.each([
  ['was not asked for', { stdin: undefined }, 'Standard input was not asked for when it was started.'],
  ['is at its end', { stdin: { written: 4, isOpen: false } }, 'Standard input was at its end already.'],
] as const)('input is refused when standard input %s, its end is not', async (_name, part, reason) => {
  const process = new FakeProcess(part);
  const { open } = await serve(process);
  const client = await open();
  client.sendBytes('');
  client.sendBytes('x');
  expect(await client.closed).toEqual({ code: 1008, reason });
  expect(process.inputBytes).toBe(0);
});

test('input after its end is refused', async () => {
  const process = new FakeProcess();
  const { open } = await serve(process);
  const client = await open();
  client.sendBytes('');
  client.sendBytes('x');
  expect(await client.closed).toEqual({ code: 1008, reason: 'Standard input was at its end already.' });
  expect(process.input).toEqual(['<end>']);
});

test('detach and the end of the server end the view only', async () => {
  const process = new FakeProcess();
  const { open, router } = await serve(process, { attach: async () => new FakeProcess().attached });
  const first = await open();
  first.send({ type: 'detach' });
  expect(await first.closed).toEqual({ code: 1000, reason: 'Detached: the process runs on.' });
  const second = await open();
  await second.text('started');
  await router.close();
  expect((await second.closed).code).toBe(1001);
});

test('a viewer gives the terminal its size, and sizes and signals later', async () => {
  const calls: unknown[] = [];
  const process = new FakeProcess(TTY);
  const { open, attaches } = await serve(process, {
    resize: async (id, size) => void calls.push([id, size]),
    signal: async (id, name) => void calls.push([id, name]),
  });
  const client = await open('?width=100&height=40');
  client.send({ type: 'resize', width: 101, height: 41 });
  await soon(() => calls.length).toBe(1);
  client.send({ type: 'signal', signal: 'SIGTERM' });
  await soon(() => calls.length).toBe(2);
  expect(attaches).toEqual([['abcd-1', { offset: 0, readOnly: false, size: { width: 100, height: 40 } }]]);
  expect(calls).toEqual([
    ['abcd-1', { width: 101, height: 41 }],
    ['abcd-1', 'SIGTERM'],
  ]);
});

test.each([
  ['input', (client: { sendBytes(text: string): void }) => client.sendBytes('x')],
  ['a signal', (client: { send(frame: object): void }) => client.send({ type: 'signal', signal: 'INT' })],
  ['a size', (client: { send(frame: object): void }) => client.send({ type: 'resize', width: 1, height: 1 })],
])('who only watches is refused %s', async (_what, speak) => {
  const process = new FakeProcess(TTY);
  const { open, attaches } = await serve(process);
  const client = await open('?read_only');
  speak(client);
  expect(await client.closed).toMatchObject({ code: 1008, reason: expect.stringContaining('only watches') });
  expect(attaches).toEqual([['abcd-1', { offset: 0, readOnly: true }]]);
  expect(process.input).toEqual([]);
});

test('who only watches may detach', async () => {
  const { open } = await serve(new FakeProcess());
  const client = await open('?read_only=1');
  client.send({ type: 'detach' });
  expect((await client.closed).code).toBe(1000);
});

test.each([
  ['?offset=-1', 'offset'],
  ['?offset=x', 'offset'],
  ['?width=80', 'height'],
  ['?width=0&height=5', 'width'],
  ['?width=10001&height=5', 'width'],
  ['?read_only&width=80&height=24', 'width'],
  ['?follow=1', 'follow'],
  ['?width=80&height=24', 'width'],
])('%s is refused by field before the upgrade', async (query, field) => {
  const process = new FakeProcess();
  const { open, attaches } = await serve(process);
  const refused = await open(query).catch((error: unknown) => error);
  expect(refused).toMatchObject({ status: 400, body: { validations: [{ field }] } });
  // The last one is only known to have no terminal when it was found.
  expect(process.detaches).toBe(attaches.length);
});

test('a process that is not there is 404, one of a container that does not run 409', async () => {
  for (const [code, status] of [
    ['process-not-found', 404],
    ['devcontainer-not-running', 409],
    ['devcontainer-not-found', 404],
  ] as const) {
    const { open } = await serve(new FakeProcess(), {
      attach: () => Promise.reject(new AgentContainersError(code, 'Attaching failed.')),
    });
    await expect(open()).rejects.toMatchObject({ status, body: { code } });
  }
});
