import { once } from 'node:events';
import { request } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { expect, onTestFinished, test } from 'vitest';
import type { DevcontainerRuntime } from '../agentcontainers/api.ts';
import type { CommandSpec, RunningCommand } from '../agentcontainers/ports.ts';
import { createDeferred } from '../async/deferred.ts';
import { AgentContainersError } from '../errors.ts';
import { createFakeClock } from '../testing/fake-clock.ts';
import { createRouter } from './router.ts';
import { scriptedApi } from './test-api.ts';
import { commandProcess, scriptedCommand, scriptedRuntime } from './test-runtime.ts';
import { ask, mount } from './test-server.ts';

const PATH = '/mnt/devcontainers/dc-1/exec';
const HEADERS = { 'content-type': 'application/json' };

async function open(
  exec: DevcontainerRuntime['exec'],
  options: { maxStreams?: number; process?: DevcontainerRuntime['process'] } = {},
) {
  const { process = async () => commandProcess(), ...more } = options;
  const ids: string[] = [];
  const devcontainer = (id: string): DevcontainerRuntime => {
    ids.push(id);
    return scriptedRuntime({ exec, process });
  };
  const clock = createFakeClock();
  const router = createRouter(scriptedApi({ devcontainer }), { clock, ...more });
  const port = await mount(router);
  const run = (body: object) => ask(port, { method: 'POST', path: PATH, headers: HEADERS, body: JSON.stringify(body) });
  /** A client that reads when the test says so. */
  async function begin(body: object): Promise<{ res: IncomingMessage; leave: () => void }> {
    const req = request({ port, host: '127.0.0.1', method: 'POST', path: PATH, headers: HEADERS, agent: false });
    req.on('error', () => {});
    onTestFinished(() => void req.destroy());
    req.end(JSON.stringify(body));
    const [res] = (await once(req, 'response')) as [IncomingMessage];
    res.on('error', () => {});
    return { res, leave: () => void req.destroy() };
  }
  return { clock, router, port, run, begin, ids };
}

const lines = (text: string) =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);

const STARTED = { type: 'started', process_id: 'ab12-1', via: 'resident' };

test('output comes as lines of JSON, between that of the start and that of the exit', async () => {
  const script = scriptedCommand();
  script.say('one\n');
  script.say('oops', 'stderr');
  script.say('two');
  script.end({ code: 3 });
  const { run, ids } = await open(async () => script.command);
  const answer = await run({ argv: ['ls'] });
  expect(answer.status).toBe(200);
  expect(answer.headers['content-type']).toBe('application/x-ndjson');
  expect(lines(answer.text)).toEqual([
    STARTED,
    { type: 'stdout', data: 'one\n' },
    { type: 'stderr', data: 'oops' },
    { type: 'stdout', data: 'two' },
    { type: 'exit', code: 3, signal: null, reason: 'exit', via: 'resident' },
  ]);
  expect(ids).toEqual(['dc-1']);
});

test('the line of the start comes before there is any output', async () => {
  const script = scriptedCommand();
  const { begin } = await open(async () => script.command);
  const { res } = await begin({ argv: ['sleep'] });
  expect(JSON.parse(String((await once(res, 'data'))[0]))).toEqual(STARTED);
});

test('every field of the request reaches the command', async () => {
  const specs: CommandSpec[] = [];
  const script = scriptedCommand();
  script.end();
  const { run } = await open(async (spec) => {
    specs.push(spec);
    return script.command;
  });
  const body = { cwd: 'src', env: { A: '1', B: 'x=y', C: null }, user: 'dev', stdin: 'hello', timeout_ms: 5 };
  await run({ command: 'cat; pwd', ...body });
  expect(specs[0]).toMatchObject({
    command: 'cat; pwd',
    cwd: 'src',
    env: { A: '1', B: 'x=y', C: null },
    user: 'dev',
    stdin: true,
    timeoutMs: 5,
  });
  expect(script.written.map(String)).toEqual(['hello', '<end>']);
});

test('standard input can be any bytes, as base64, and empty', async () => {
  const bytes = Buffer.from([0xff, 0x00, 0x0a, 0x80]);
  for (const stdin of [bytes, Buffer.alloc(0)]) {
    const script = scriptedCommand();
    script.end();
    const { run } = await open(async () => script.command);
    expect((await run({ argv: ['cat'], stdin: stdin.toString('base64'), stdin_encoding: 'base64' })).status).toBe(200);
    expect(Buffer.concat(script.written)).toEqual(Buffer.concat([stdin, Buffer.from('<end>')]));
  }
});

test('without input, standard input is not asked for', async () => {
  const script = scriptedCommand();
  script.end();
  const { run } = await open(async (spec) => {
    expect(spec.stdin).toBe(false);
    return script.command;
  });
  expect((await run({ argv: ['cat'] })).status).toBe(200);
  expect(script.written).toEqual([]);
});

test('a long argument that is not the program is no harm', async () => {
  const script = scriptedCommand();
  script.end();
  const { run } = await open(async () => script.command);
  expect((await run({ argv: ['echo', 'x'.repeat(100_000)] })).status).toBe(200);
});

test('bytes that are not UTF-8 come as base64, split characters come whole, also around the other stream', async () => {
  const script = scriptedCommand();
  const euro = Buffer.from('€');
  script.say(euro.subarray(0, 1));
  script.say('between', 'stderr');
  script.say(euro.subarray(1));
  script.say(Uint8Array.of(0xff, 0x00));
  script.end();
  const { run } = await open(async () => script.command);
  expect(lines((await run({ argv: ['x'] })).text).slice(1, -1)).toEqual([
    { type: 'stderr', data: 'between' },
    { type: 'stdout', data: '€' },
    { type: 'stdout', data: '/wA=', encoding: 'base64' },
  ]);
});

test('a slow reader slows the command down, and gets everything in the end', async () => {
  const script = scriptedCommand();
  const chunk = Buffer.alloc(65_536, 0x61);
  const count = 1_000;
  for (let i = 0; i < count; i++) script.say(chunk);
  const { begin } = await open(async () => script.command);
  const { res } = await begin({ argv: ['yes'] });
  // It reads nothing: what is taken from the command comes to a stop.
  let seen = -1;
  await expect
    .poll(
      () => {
        const before = seen;
        seen = script.taken();
        return seen > 0 && seen === before;
      },
      { interval: 300, timeout: 20_000 },
    )
    .toBe(true);
  expect(seen).toBeLessThan(count / 2);
  script.end();
  let bytes = 0;
  let rest = '';
  for await (const text of res.setEncoding('utf8')) {
    const parts = (rest + (text as string)).split('\n');
    rest = parts.pop() ?? '';
    for (const part of parts) {
      const line = JSON.parse(part) as { type: string; data?: string };
      if (line.type === 'stdout') bytes += Buffer.byteLength(line.data ?? '');
    }
  }
  expect(bytes).toBe(count * chunk.length);
});

test('the client that leaves ends the whole tree', async () => {
  const script = scriptedCommand();
  const aborted = createDeferred<unknown>();
  const { begin } = await open(async (_spec, signal) => {
    signal?.addEventListener('abort', () => aborted.resolve(signal.reason));
    return script.command;
  });
  const { res, leave } = await begin({ argv: ['sleep', '1000'] });
  await once(res, 'data');
  leave();
  expect(await aborted.promise).toMatchObject({ code: 'cancelled', details: { reason: 'caller-left' } });
  expect(script.calls).toEqual([]);
});

test('a command that comes after the client has left is ended', async () => {
  const script = scriptedCommand();
  const asked = createDeferred<AbortSignal>();
  const give = createDeferred<RunningCommand>();
  const { port } = await open((_spec, signal) => {
    asked.resolve(signal as AbortSignal);
    return give.promise;
  });
  const req = request({ port, host: '127.0.0.1', method: 'POST', path: PATH, headers: HEADERS });
  req.on('error', () => {});
  req.end(JSON.stringify({ argv: ['true'] }));
  const left = once(await asked.promise, 'abort');
  req.destroy();
  await left;
  give.resolve(script.command);
  await expect.poll(() => script.calls).toEqual(['kill', 'detach']);
});

test('the closing of the server lets the command run on, and says so', async () => {
  const script = scriptedCommand();
  const aborts: unknown[] = [];
  const { begin, router } = await open(async (_spec, signal) => {
    signal?.addEventListener('abort', () => aborts.push(signal.reason));
    return script.command;
  });
  const { res } = await begin({ argv: ['sleep', '1000'] });
  const text: string[] = [];
  res.setEncoding('utf8').on('data', (data: string) => text.push(data));
  await once(res, 'data');
  const ended = once(res, 'end');
  await router.close();
  await ended;
  expect(script.calls).toEqual(['detach']);
  expect(aborts).toEqual([]);
  expect(lines(text.join('')).at(-1)).toMatchObject({ type: 'exit', code: null, reason: 'closed' });
});

test.each([
  ['until it has been written', [2, 3, 5], ['detach']],
  ['until its time is over', [2], ['detach']],
] as const)('the closing of the server waits for input on its way, %s', async (_name, written, calls) => {
  const script = scriptedCommand();
  const left = [...written];
  const options = {
    process: async () =>
      commandProcess({ stdin: { written: left.length > 1 ? left.shift()! : left[0]!, isOpen: true } }),
  };
  const { begin, router, clock } = await open(async () => script.command, options);
  const { res } = await begin({ argv: ['cat'], stdin: 'input' });
  res.resume();
  await expect.poll(() => script.written.length).toBe(2);
  const ended = once(res, 'end');
  const closing = router.close();
  // The client does not wait for it.
  await ended;
  expect(script.calls).toEqual([]);
  for (let step = 0; step < 60 && script.calls.length === 0; step++) await clock.run(50);
  await closing;
  expect(script.calls).toEqual(calls);
  expect(clock.pending()).toEqual([]);
});

test('a command that the closing of the server keeps from its input does not wait for it for ever', async () => {
  const script = scriptedCommand();
  const asked = createDeferred<void>();
  const give = createDeferred<RunningCommand>();
  const { run, router } = await open(() => {
    asked.resolve();
    return give.promise;
  });
  const answer = run({ argv: ['cat'], stdin: 'input' });
  await asked.promise;
  await router.close();
  expect(await answer).toMatchObject({ status: 503 });
  give.resolve(script.command);
  await expect.poll(() => script.calls).toEqual(['kill', 'detach']);
});

test.each([
  ['resident', 'The command runs on as process ab12-1, and waits for a reader'],
  ['engine', 'ends with the library that runs it'],
] as const)('the last line of a closing server says what becomes of a command through the %s', async (via, text) => {
  const script = scriptedCommand();
  const { begin, router } = await open(async () => ({ ...script.command, via }));
  const { res } = await begin({ argv: ['sleep', '1000'] });
  const said: string[] = [];
  res.setEncoding('utf8').on('data', (data: string) => said.push(data));
  await once(res, 'data');
  const ended = once(res, 'end');
  await router.close();
  await ended;
  expect(lines(said.join('')).at(-1)).toMatchObject({ reason: 'closed', via, message: expect.stringContaining(text) });
});

test('a command that is being started when the server closes runs on when it comes', async () => {
  const script = scriptedCommand();
  const asked = createDeferred<void>();
  const give = createDeferred<RunningCommand>();
  const { run, router } = await open(() => {
    asked.resolve();
    return give.promise;
  });
  const answer = run({ argv: ['sleep', '1000'] });
  await asked.promise;
  await router.close();
  expect(await answer).toMatchObject({ status: 503, json: { message: 'API closed' } });
  give.resolve(script.command);
  await expect.poll(() => script.calls).toEqual(['detach']);
});

test.each([
  ['a time-out', { code: null, signal: 'SIGTERM', reason: 'timeout' }, {}],
  ['a signal', { code: null, signal: 'SIGSEGV', reason: 'signal' }, {}],
  ['too little memory', { code: null, signal: 'SIGKILL', reason: 'oom' }, {}],
  ['a lost container', { code: null, reason: 'lost' }, {}],
  ['survivors', { code: null, reason: 'killed', survivors: [7, 8] }, { survivors: [7, 8] }],
  ['children that hold the output', { code: 0, backgroundHeld: true }, { background_held: true }],
] as const)('%s is told', async (_name, exit, more) => {
  const script = scriptedCommand();
  script.end(exit);
  const { run } = await open(async () => script.command);
  const { code, signal = null, reason = 'exit' } = exit as { code: null; signal?: string; reason?: string };
  expect(lines((await run({ argv: ['x'] })).text).at(-1)).toEqual({
    type: 'exit',
    code,
    signal,
    reason,
    via: 'resident',
    ...more,
  });
});

test('output that breaks off is told, and the command does not live on unseen', async () => {
  const script = scriptedCommand();
  script.say('one');
  script.fail(new AgentContainersError('runtime-unavailable', 'Running "x" failed: it has gone.'));
  const { run } = await open(async () => script.command);
  expect(lines((await run({ argv: ['x'] })).text).at(-1)).toMatchObject({
    type: 'exit',
    code: null,
    reason: 'lost',
    message: 'Running "x" failed: it has gone.',
  });
  expect(script.calls).toEqual(['kill']);
});

test.each([
  ['devcontainer-not-found', 404, 'Devcontainer not found.'],
  ['devcontainer-not-running', 409, 'Devcontainer is not running'],
  ['devcontainer-not-adopted', 403, 'Devcontainer is not adopted'],
  ['command-refused', 409, 'The container refused it'],
  ['runtime-unavailable', 409, 'The runtime of the container is not available'],
  ['invalid-request', 400, 'Invalid request'],
  ['timeout', 504, 'Timed out'],
  ['api-closed', 503, 'API closed'],
] as const)('a refusal with %s has its own status', async (code, status, message) => {
  const { run } = await open(() => Promise.reject(new AgentContainersError(code, 'Running "x" failed: a reason.')));
  expect(await run({ argv: ['x'] })).toMatchObject({
    status,
    json: { message, code, detail: 'Running "x" failed: a reason.' },
  });
});

test('a fault of ours shows nothing of itself', async () => {
  const { run } = await open(() => Promise.reject(new Error('secret detail')));
  const answer = await run({ argv: ['x'] });
  expect(answer).toMatchObject({ status: 500, json: { message: 'Internal error' } });
  expect(answer.text).not.toContain('secret');
});

test.each([
  ['neither', {}, 'argv'],
  ['both', { argv: ['a'], command: 'b' }, 'argv'],
  ['an empty argv', { argv: [] }, 'argv'],
  ['an empty program', { argv: ['', 'a'] }, 'argv.0'],
  ['a NUL', { argv: ['a\0b'] }, 'argv.0'],
  ['a program name that wedges engines', { argv: ['x'.repeat(4097)] }, 'argv.0'],
  ['a blank command', { command: ' \n' }, 'command'],
  ['standard input that is not base64', { argv: ['a'], stdin: 'a*b=', stdin_encoding: 'base64' }, 'stdin'],
  ['an unknown encoding', { argv: ['a'], stdin: 'a', stdin_encoding: 'hex' }, 'stdin_encoding'],
  ['an encoding of nothing', { argv: ['a'], stdin_encoding: 'base64' }, 'stdin_encoding'],
  ['a cwd with a NUL', { argv: ['a'], cwd: '/a\0' }, 'cwd'],
  ['a bad environment name', { argv: ['a'], env: { 'A=B': 'x' } }, 'env.A=B'],
  ['an environment that is no text', { argv: ['a'], env: { A: 1 } }, 'env.A'],
  ['a negative time-out', { argv: ['a'], timeout_ms: -1 }, 'timeout_ms'],
  ['a time-out that no timer can wait', { argv: ['a'], timeout_ms: 2 ** 31 }, 'timeout_ms'],
  ['an unknown field', { argv: ['a'], shell: true }, 'shell'],
])('%s is refused by field', async (_name, body, field) => {
  const { run } = await open(() => Promise.reject(new Error('must not be called')));
  const answer = await run(body);
  expect(answer).toMatchObject({ status: 400, json: { message: 'Invalid request' } });
  expect((answer.json as { validations: { field: string }[] }).validations.map((one) => one.field)).toContain(field);
});

test('the number of streams is bounded', async () => {
  const script = scriptedCommand();
  const { begin, run } = await open(async () => script.command, { maxStreams: 1 });
  const { leave } = await begin({ argv: ['x'] });
  expect(await run({ argv: ['x'] })).toMatchObject({ status: 503, json: { message: 'Too many open streams' } });
  leave();
});
