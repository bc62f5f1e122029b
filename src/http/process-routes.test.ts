import { once } from 'node:events';
import { request } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { expect, onTestFinished, test } from 'vitest';
import type { BashRequest, DevcontainerRuntime } from '../agentcontainers/api.ts';
import type { CommandProcess, CommandSpec, OutputChunk, OutputQuery } from '../agentcontainers/ports.ts';
import { createDeferred } from '../async/deferred.ts';
import { AgentContainersError } from '../errors.ts';
import { createFakeClock } from '../testing/fake-clock.ts';
import { createRouter } from './router.ts';
import { scriptedApi } from './test-api.ts';
import { commandProcess, EXITED, noted, scriptedRuntime } from './test-runtime.ts';
import { ask, mount } from './test-server.ts';

const BASE = '/mnt/devcontainers/dc-1';
const JSON_HEADERS = { 'content-type': 'application/json' };

async function open(script: Parameters<typeof scriptedRuntime>[0], options: { maxStreams?: number } = {}) {
  const devcontainer = (id: string): DevcontainerRuntime => {
    expect(id).toBe('dc-1');
    return scriptedRuntime(script);
  };
  const clock = createFakeClock();
  const router = createRouter(scriptedApi({ devcontainer }), { clock, ...options });
  const port = await mount(router);
  const get = (path: string) => ask(port, { path: `${BASE}${path}` });
  const post = (path: string, body: object = {}) =>
    ask(port, { method: 'POST', path: `${BASE}${path}`, headers: JSON_HEADERS, body: JSON.stringify(body) });
  /** A request whose answer comes when it comes. */
  function begin(method: string, path: string, body?: object) {
    const req = request({
      port,
      host: '127.0.0.1',
      method,
      path: `${BASE}${path}`,
      headers: JSON_HEADERS,
      agent: false,
    });
    req.on('error', () => {});
    onTestFinished(() => void req.destroy());
    req.end(body && JSON.stringify(body));
    const response = once(req, 'response').then(([res]) => res as IncomingMessage);
    response.catch(() => {});
    return { response, leave: () => void req.destroy() };
  }
  return { clock, router, port, get, post, begin };
}

const PROCESS = {
  id: 'ab12-1',
  pid: 42,
  argv: ['sleep', '1000'],
  cwd: '/w',
  user: 'dev',
  tty: null,
  merged: false,
  kind: 'background',
  started_at: '2025-01-31T12:00:00.000Z',
  running: true,
  output: { start: 0, end: 0 },
  via: 'resident',
};
const ENDED = commandProcess({
  running: false,
  exit: { ...EXITED, code: null, signal: 'SIGKILL', reason: 'killed', survivors: [9] },
});
const WIRE_EXIT = {
  code: null,
  signal: 'SIGKILL',
  reason: 'killed',
  survivors: [9],
  background_held: false,
  via: 'resident',
};

test('processes are listed, and say who runs them', async () => {
  const engine = commandProcess({
    id: 'engine-1',
    pid: undefined,
    command: 'make',
    key: 'k',
    tty: { width: 80, height: 24 },
    via: 'engine',
  });
  const { get } = await open({ processes: async () => [commandProcess(), engine, ENDED] });
  expect((await get('/processes')).json).toEqual({
    processes: [
      PROCESS,
      {
        ...PROCESS,
        id: 'engine-1',
        pid: undefined,
        command: 'make',
        key: 'k',
        tty: { width: 80, height: 24 },
        via: 'engine',
      },
      { ...PROCESS, running: false, exit: WIRE_EXIT },
    ],
  });
});

test('every field of a start reaches the container', async () => {
  const specs: CommandSpec[] = [];
  const { post } = await open({
    async spawn(spec) {
      specs.push(spec);
      return commandProcess();
    },
  });
  const answer = await post('/processes', {
    argv: ['top'],
    cwd: 'sub',
    env: { A: 'a', B: null },
    user: '1000:1000',
    tty: { width: 120, height: 40 },
    merged: true,
    stdin: true,
    timeout_ms: 1,
    grace_ms: 0,
    key: 'once',
    overflow: 'spill',
    ring_bytes: 65_536,
  });
  expect([answer.status, answer.json]).toEqual([201, PROCESS]);
  expect(specs).toEqual([
    {
      argv: ['top'],
      command: undefined,
      cwd: 'sub',
      env: { A: 'a', B: null },
      user: '1000:1000',
      tty: { width: 120, height: 40 },
      merged: true,
      stdin: true,
      timeoutMs: 1,
      graceMs: 0,
      key: 'once',
      overflow: 'spill',
      ringBytes: 65_536,
    },
  ]);
});

test('one process is looked at, waited for, signalled, resized, written to, killed and forgotten', async () => {
  const { calls, note } = noted();
  const { get, post, port } = await open({
    process: note('process', commandProcess()),
    writeStdin: note('writeStdin', undefined),
    signal: note('signal', undefined),
    resize: note('resize', undefined),
    kill: note('kill', ENDED),
    forget: note('forget', undefined),
  });
  expect(await get('/processes/ab12-1')).toMatchObject({ status: 200, json: PROCESS });
  expect(await get('/processes/ab12-1?wait=300000')).toMatchObject({ status: 200, json: PROCESS });
  const done = { status: 204, text: '' };
  expect(await post('/processes/ab12-1/stdin', { data: 'hi' })).toMatchObject(done);
  expect(await post('/processes/ab12-1/stdin', { data: '/wA=', encoding: 'base64', eof: true })).toMatchObject(done);
  expect(await post('/processes/ab12-1/stdin', { eof: true })).toMatchObject(done);
  expect(await post('/processes/ab12-1/signal', { signal: 'SIGRTMIN+1', tree: true })).toMatchObject(done);
  expect(await post('/processes/ab12-1/resize', { width: 1, height: 10_000 })).toMatchObject(done);
  expect((await post('/processes/ab12-1/kill')).json).toEqual({ ...PROCESS, running: false, exit: WIRE_EXIT });
  expect((await post('/processes/ab12-1/kill', { grace_ms: 0 })).status).toBe(200);
  expect(await ask(port, { method: 'DELETE', path: `${BASE}/processes/ab12-1` })).toMatchObject(done);
  expect(calls).toEqual([
    ['process', 'ab12-1', {}],
    ['process', 'ab12-1', { waitMs: 300_000 }],
    ['writeStdin', 'ab12-1', Buffer.from('hi'), { eof: false }],
    ['writeStdin', 'ab12-1', Buffer.from([0xff, 0]), { eof: true }],
    ['writeStdin', 'ab12-1', Buffer.alloc(0), { eof: true }],
    ['signal', 'ab12-1', 'SIGRTMIN+1', { tree: true }],
    ['resize', 'ab12-1', { width: 1, height: 10_000 }],
    ['kill', 'ab12-1', {}],
    ['kill', 'ab12-1', { graceMs: 0 }],
    ['forget', 'ab12-1'],
  ]);
});

test('input is written as long as its client stays, so that nobody writes it twice', async () => {
  const taken = createDeferred<void>();
  const begun = createDeferred<AbortSignal | undefined>();
  const { clock, begin } = await open({
    writeStdin: async (_id, _bytes, _options, signal) => {
      begun.resolve(signal);
      await taken.promise;
    },
  });
  const { response } = begin('POST', '/processes/ab12-1/stdin', { data: 'hi' });
  const signal = await begun.promise;
  await clock.run(3_600_000);
  expect(signal?.aborted).toBe(false);
  taken.resolve();
  expect((await response).statusCode).toBe(204);
});

const chunk = (offset: number, bytes: Uint8Array | string, stream: OutputChunk['stream'] = 'stdout'): OutputChunk => ({
  stream,
  offset,
  bytes: Buffer.from(bytes as string),
});

/** A process with this output, and what was asked for. */
async function withOutput(chunks: readonly OutputChunk[], process: CommandProcess) {
  const queries: OutputQuery[] = [];
  const opened = await open({
    process: async () => process,
    async *output(_id, query = {}) {
      const { signal: _signal, ...rest } = query;
      queries.push(rest);
      yield* chunks;
    },
  });
  return { ...opened, queries };
}

const state = (end: number, exit?: CommandProcess['exit'], start = 0): CommandProcess =>
  commandProcess({ output: { start, end }, running: exit === undefined, exit });

const EURO = Buffer.from('€');

test.each<[string, string, readonly OutputChunk[], CommandProcess, object]>([
  [
    'both streams in their order',
    '',
    [chunk(0, 'a'), chunk(1, 'b', 'stderr')],
    state(2),
    { output: 'ab', offset: 0, next_offset: 2, end: 2, running: true },
  ],
  ['nothing yet', '?offset=2', [], state(2), { output: '', offset: 2, next_offset: 2, end: 2, running: true }],
  [
    'what is older than what is kept',
    '?offset=1',
    [chunk(5, 'x')],
    state(6, undefined, 5),
    { output: 'x', offset: 5, next_offset: 6, end: 6, running: true },
  ],
  [
    'nothing, and the rest is gone',
    '?offset=1',
    [],
    state(9, undefined, 9),
    { output: '', offset: 9, next_offset: 9, end: 9, running: true },
  ],
  [
    'a gap',
    '',
    [chunk(0, 'a'), chunk(5, 'b')],
    state(6),
    { output: 'a', offset: 0, next_offset: 1, end: 6, running: true },
  ],
  [
    'a character that is not whole yet',
    '',
    [chunk(0, 'a'), chunk(1, EURO.subarray(0, 2))],
    state(3),
    { output: 'a', offset: 0, next_offset: 1, end: 3, running: true },
  ],
  [
    'a character that never gets whole',
    '',
    [chunk(0, 'a'), chunk(1, EURO.subarray(0, 2))],
    state(3, EXITED),
    {
      output: 'YeKC',
      encoding: 'base64',
      offset: 0,
      next_offset: 3,
      end: 3,
      running: false,
      exit_code: 0,
      reason: 'exit',
    },
  ],
  [
    'only a part of a character, so that the caller gets on',
    '',
    [chunk(0, EURO.subarray(0, 2))],
    state(2),
    { output: '4oI=', encoding: 'base64', offset: 0, next_offset: 2, end: 2, running: true },
  ],
  [
    'bytes that are not UTF-8',
    '',
    [chunk(0, Uint8Array.of(0xff, 0x61))],
    state(2),
    { output: '/2E=', encoding: 'base64', offset: 0, next_offset: 2, end: 2, running: true },
  ],
  [
    'more than was asked for',
    '?limit=2',
    [chunk(0, 'abc')],
    state(3),
    { output: 'ab', offset: 0, next_offset: 2, end: 3, running: true },
  ],
  [
    'a signal',
    '',
    [chunk(0, 'a')],
    state(1, ENDED.exit),
    { output: 'a', offset: 0, next_offset: 1, end: 1, running: false, exit_code: 137, reason: 'killed' },
  ],
  [
    'a time-out',
    '?offset=1',
    [],
    state(1, { ...EXITED, code: null, signal: 'SIGTERM', reason: 'timeout' }),
    { output: '', offset: 1, next_offset: 1, end: 1, running: false, exit_code: 124, reason: 'timeout' },
  ],
  [
    'a lost process',
    '',
    [],
    state(0, { ...EXITED, code: null, reason: 'lost' }),
    { output: '', offset: 0, next_offset: 0, end: 0, running: false, exit_code: null, reason: 'lost' },
  ],
])('a page of output with %s', async (_name, query, chunks, process, expected) => {
  const { get } = await withOutput(chunks, process);
  const answer = await get(`/processes/ab12-1/output${query}`);
  expect([answer.status, answer.json]).toEqual([200, expected]);
});

test('offset, wait and limit are handed on; 64 KiB are read by default', async () => {
  const { get, queries } = await withOutput([], state(0));
  await get('/processes/ab12-1/output');
  await get('/processes/ab12-1/output?offset=7&wait=1000&limit=1048576');
  expect(queries).toEqual([
    { offset: 0, waitMs: undefined, limit: 65_536 },
    { offset: 7, waitMs: 1000, limit: 1_048_576 },
  ]);
});

const lines = (text: string): unknown[] =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown);

test('followed output comes as lines with their offsets, the last of which is the exit', async () => {
  const chunks = [chunk(3, EURO.subarray(0, 1)), chunk(4, EURO.subarray(1)), chunk(6, 'no', 'stderr')];
  const { get, queries } = await withOutput(chunks, state(8, ENDED.exit));
  const answer = await get('/processes/ab12-1/output?offset=3&follow=true');
  expect(answer.headers['content-type']).toBe('application/x-ndjson');
  expect(lines(answer.text)).toEqual([
    { type: 'stdout', offset: 3, data: '€' },
    { type: 'stderr', offset: 6, data: 'no' },
    { type: 'exit', code: null, signal: 'SIGKILL', reason: 'killed', via: 'resident', survivors: [9] },
  ]);
  expect(queries).toEqual([{ offset: 3, follow: true }]);
});

test('an unknown process is a 404, also when it is followed', async () => {
  const unknown = (): Promise<never> =>
    Promise.reject(new AgentContainersError('process-not-found', 'Finding process "x" failed: there is none.'));
  const { get } = await open({
    process: unknown,
    async *output() {
      await unknown();
    },
  });
  for (const path of ['', '/output', '/output?follow']) {
    expect(await get(`/processes/x${path}`)).toMatchObject({ status: 404, json: { message: 'Process not found' } });
  }
});

test('following ends when the client leaves, and ends nothing else', async () => {
  const signal = createDeferred<AbortSignal>();
  const { begin } = await open({
    process: async () => commandProcess(),
    async *output(_id, query) {
      signal.resolve(query?.signal as AbortSignal);
      yield chunk(0, 'a');
      await new Promise(() => {});
    },
  });
  const { response, leave } = begin('GET', '/processes/ab12-1/output?follow=1');
  await once(await response, 'data');
  const aborted = once(await signal.promise, 'abort');
  leave();
  await aborted;
});

test('following says so when the server closes, and when the output breaks off', async () => {
  const waits = createDeferred<void>();
  const { begin, router } = await open({
    process: async () => commandProcess(),
    async *output(_id, query) {
      yield chunk(0, 'a');
      waits.resolve();
      await once(query?.signal as AbortSignal, 'abort');
      throw new AgentContainersError('cancelled', 'Cancelled: closing.');
    },
  });
  const { response } = begin('GET', '/processes/ab12-1/output?follow=1');
  const res = await response;
  const texts: string[] = [];
  res.setEncoding('utf8').on('data', (text: string) => texts.push(text));
  await waits.promise;
  const ended = once(res, 'end');
  await router.close();
  await ended;
  expect(lines(texts.join('')).at(-1)).toMatchObject({ type: 'exit', reason: 'closed' });

  const broken = await open({
    process: async () => commandProcess(),
    async *output() {
      yield chunk(0, 'a');
      throw new AgentContainersError('runtime-unavailable', 'Reading failed: it has gone.');
    },
  });
  const answer = await broken.get('/processes/ab12-1/output?follow=1');
  expect(lines(answer.text)).toEqual([
    { type: 'stdout', offset: 0, data: 'a' },
    {
      type: 'exit',
      code: null,
      signal: null,
      reason: 'lost',
      via: 'resident',
      message: 'Reading failed: it has gone.',
    },
  ]);
});

test('waiting ends when the client leaves, and is refused when the server closes', async () => {
  const signals: AbortSignal[] = [];
  const { begin, router } = await open({
    process: (_id, _options, signal) => {
      signals.push(signal as AbortSignal);
      return new Promise(() => {});
    },
  });
  const first = begin('GET', '/processes/ab12-1?wait=300000');
  await expect.poll(() => signals.length).toBe(1);
  const aborted = once(signals[0]!, 'abort');
  first.leave();
  await aborted;
  const second = begin('GET', '/processes/ab12-1?wait=300000');
  await expect.poll(() => signals.length).toBe(2);
  await router.close();
  expect((await second.response).statusCode).toBe(503);
});

test('a request that is never answered is given up after ten minutes', async () => {
  let given: AbortSignal | undefined;
  const { clock, get } = await open({
    processes: (signal) => {
      given = signal;
      return new Promise(() => {});
    },
  });
  const answer = get('/processes');
  await expect.poll(() => given).toBeDefined();
  await clock.run(599_999);
  expect(given?.aborted).toBe(false);
  await clock.run(1);
  expect(await answer).toMatchObject({ status: 504, json: { message: 'Timed out', code: 'timeout' } });
  expect(given?.aborted).toBe(true);
  expect(clock.pending()).toEqual([]);
});

test('short requests are served while every stream is taken', async () => {
  const { begin, get } = await open(
    {
      process: async () => commandProcess(),
      processes: async () => [],
      async *output() {
        await new Promise(() => {});
      },
    },
    { maxStreams: 1 },
  );
  await begin('GET', '/processes/ab12-1/output?follow=1').response;
  expect(await get('/processes/ab12-1/output?follow=1')).toMatchObject({ status: 503 });
  expect(await get('/processes')).toMatchObject({ status: 200, json: { processes: [] } });
});

test('a kill goes on when the client leaves', async () => {
  const calls: unknown[][] = [];
  const { begin } = await open({
    kill: (...args) => {
      calls.push(args);
      return new Promise(() => {});
    },
  });
  const { leave } = begin('POST', '/processes/ab12-1/kill', {});
  await expect.poll(() => calls.length).toBe(1);
  leave();
  expect(calls).toEqual([['ab12-1', {}]]);
});

test('a command of an agent is answered with what it wrote', async () => {
  const requests: BashRequest[] = [];
  const { post } = await open({
    async bash(asked) {
      requests.push(asked);
      return {
        output: 'text',
        exitCode: 0,
        processId: 'ab12-1',
        truncated: { totalBytes: 100, omittedBytes: 7 },
        via: 'resident',
      };
    },
  });
  const answer = await post('/bash', {
    command: 'make',
    cwd: 'sub',
    env: { A: 'a' },
    timeout_ms: 300_000,
    background: true,
    idempotency_key: 'k',
  });
  expect([answer.status, answer.json]).toEqual([
    200,
    {
      output: 'text',
      exit_code: 0,
      process_id: 'ab12-1',
      truncated: { total_bytes: 100, omitted_bytes: 7 },
      via: 'resident',
    },
  ]);
  expect(requests).toEqual([
    { command: 'make', cwd: 'sub', env: { A: 'a' }, timeoutMs: 300_000, background: true, idempotencyKey: 'k' },
  ]);
});

test('a command of an agent that runs on has no exit code', async () => {
  const { post } = await open({
    bash: async () => ({ output: 'x', exitCode: null, processId: 'engine-1', via: 'engine' }),
  });
  expect((await post('/bash', { command: 'a', background: true })).json).toEqual({
    output: 'x',
    exit_code: null,
    process_id: 'engine-1',
    via: 'engine',
  });
});

test("a command of an agent ends when the client leaves, and not by the server's closing", async () => {
  const signals: AbortSignal[] = [];
  const { begin, router } = await open({
    bash: (_request, signal) => {
      signals.push(signal as AbortSignal);
      return new Promise(() => {});
    },
  });
  const first = begin('POST', '/bash', { command: 'sleep 1000' });
  await expect.poll(() => signals.length).toBe(1);
  const aborted = once(signals[0]!, 'abort');
  first.leave();
  await aborted;
  const second = begin('POST', '/bash', { command: 'sleep 1000' });
  await expect.poll(() => signals.length).toBe(2);
  await router.close();
  expect((await second.response).statusCode).toBe(503);
  // Resolves once the connection has gone, which is no leaving of the client's either.
  expect(signals[1]!.aborted).toBe(false);
});

test.each<[string, string, object | string, string]>([
  ['neither argv nor command', '/processes', {}, 'argv'],
  ['both', '/processes', { argv: ['a'], command: 'b' }, 'argv'],
  ['a terminal without a size', '/processes', { argv: ['a'], tty: {} }, 'tty.width'],
  ['a terminal that is too large', '/processes', { argv: ['a'], tty: { width: 10_001, height: 1 } }, 'tty.width'],
  ['a terminal with more', '/processes', { argv: ['a'], tty: { width: 1, height: 1, x: 1 } }, 'tty.x'],
  ['a ring that is too small', '/processes', { argv: ['a'], ring_bytes: 1 }, 'ring_bytes'],
  ['a ring that is too large', '/processes', { argv: ['a'], ring_bytes: 67_108_865 }, 'ring_bytes'],
  ['a grace that is too long', '/processes', { argv: ['a'], grace_ms: 60_001 }, 'grace_ms'],
  ['an unknown overflow', '/processes', { argv: ['a'], overflow: 'lose' }, 'overflow'],
  ['an empty key', '/processes', { argv: ['a'], key: '' }, 'key'],
  ['a long key', '/processes', { argv: ['a'], key: 'k'.repeat(257) }, 'key'],
  ['standard input as text', '/processes', { argv: ['a'], stdin: 'x' }, 'stdin'],
  ['an unknown field', '/processes', { argv: ['a'], shell: true }, 'shell'],
  ['nothing to write', '/processes/p/stdin', {}, 'data'],
  ['bad base64', '/processes/p/stdin', { data: 'a', encoding: 'base64' }, 'data'],
  ['a number as signal', '/processes/p/signal', { signal: '9' }, 'signal'],
  ['a signal in small letters', '/processes/p/signal', { signal: 'kill' }, 'signal'],
  ['no signal', '/processes/p/signal', {}, 'signal'],
  ['no size', '/processes/p/resize', {}, 'width'],
  ['a size of nothing', '/processes/p/resize', { width: 0, height: 1 }, 'width'],
  ['a grace of before', '/processes/p/kill', { grace_ms: -1 }, 'grace_ms'],
  ['no command', '/bash', {}, 'command'],
  ['an empty command', '/bash', { command: '' }, 'command'],
  ['a blank command', '/bash', { command: ' \t\n' }, 'command'],
  ['a time-out that is too long', '/bash', { command: 'a', timeout_ms: 300_001 }, 'timeout_ms'],
  ['a time-out of nothing', '/bash', { command: 'a', timeout_ms: 0 }, 'timeout_ms'],
  ['a removed variable', '/bash', { command: 'a', env: { A: null } }, 'env.A'],
])('%s is refused by field', async (_name, path, body, field) => {
  const { post } = await open({});
  const answer = await post(path, body as object);
  expect(answer).toMatchObject({ status: 400, json: { message: 'Invalid request' } });
  expect((answer.json as { validations: { field: string }[] }).validations.map((one) => one.field)).toContain(field);
});

test.each([
  ['/processes/p?wait=300001', 'wait', 'Must be at most 300000.'],
  ['/processes/p?wait=-1', 'wait', 'Must be at least 0.'],
  ['/processes/p?wait=1.5', 'wait', 'Must be a whole number.'],
  ['/processes/p?wait=', 'wait', 'Must be a whole number.'],
  ['/processes/p?wait=0x10', 'wait', 'Must be a whole number.'],
  ['/processes/p?wait=1&wait=2', 'wait', 'Given more than once.'],
  ['/processes/p/output?offset=-1', 'offset', 'Must be at least 0.'],
  ['/processes/p/output?offset=99999999999999999999', 'offset', 'Must be at most 9007199254740991.'],
  ['/processes/p/output?offset=1e3', 'offset', 'Must be a whole number.'],
  ['/processes/p/output?limit=0', 'limit', 'Must be at least 1.'],
  ['/processes/p/output?limit=1048577', 'limit', 'Must be at most 1048576.'],
  ['/processes/p/output?follow=maybe', 'follow', 'Must be one of: 0, 1, true, false.'],
  ['/processes/p/output?follow=1&limit=5', 'limit', 'Not together with `follow`.'],
  ['/processes?all=1', 'all', 'Unknown field.'],
])('%s is refused with a word about %s', async (path, field, detail) => {
  const { get } = await open({});
  expect(await get(path)).toMatchObject({
    status: 400,
    json: { message: 'Invalid request', validations: [{ field, detail }] },
  });
});
