import { once } from 'node:events';
import { request } from 'node:http';
import { expect, onTestFinished, test } from 'vitest';
import type { ExecExit, ExecSession } from '../agentcontainers/ports.ts';
import { createDeferred } from '../async/deferred.ts';
import { AgentContainersError } from '../errors.ts';
import { createFakeClock } from '../testing/fake-clock.ts';
import { createRouter } from './router.ts';
import { scriptedApi } from './test-api.ts';
import type { AgentContainers } from '../agentcontainers/api.ts';
import { ask, mount } from './test-server.ts';

type Spec = Parameters<AgentContainers['exec']>[1];

const EXITED: ExecExit = { exitCode: 0, outputHeld: false };

/** A session whose streams end, and which exits, when the test or an abort says so. */
function scriptedSession(stdout: Iterable<string | Uint8Array> = [], stderr: Iterable<string> = []) {
  const ended = createDeferred<void>();
  const exited = createDeferred<ExecExit>();
  const written: string[] = [];
  const received: Buffer[] = [];
  let closes = 0;
  async function* play(chunks: Iterable<string | Uint8Array>, hold: boolean) {
    for (const chunk of chunks) yield typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
    if (hold) await ended.promise;
  }
  const session: ExecSession = {
    id: 'exec-1',
    stdout: play(stdout, true),
    stderr: play(stderr, false),
    write: async (bytes) => {
      received.push(Buffer.from(bytes as string));
      written.push(Buffer.from(bytes as string).toString());
    },
    closeStdin: () => written.push('<end>'),
    exited: exited.promise,
    close: () => {
      closes++;
      ended.resolve();
      exited.resolve({ exitCode: null, outputHeld: false });
    },
  };
  return {
    session,
    written,
    bytes: received,
    get closes() {
      return closes;
    },
    exit(exit: ExecExit = EXITED) {
      ended.resolve();
      exited.resolve(exit);
    },
    failToStart(error: Error) {
      ended.resolve();
      exited.reject(error);
    },
  };
}

async function open(exec: AgentContainers['exec']) {
  const clock = createFakeClock();
  const router = createRouter(scriptedApi({ exec }), { clock });
  const port = await mount(router);
  const run = (body: object) =>
    ask(port, {
      method: 'POST',
      path: '/mnt/devcontainers/dc-1/exec',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  return { clock, router, port, run };
}

const lines = (text: string) =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);

test('output comes as lines of JSON, the last of which is the exit', async () => {
  const script = scriptedSession(['one\n', 'two'], ['oops']);
  script.exit({ exitCode: 3, outputHeld: false });
  const { run } = await open(async () => script.session);
  const answer = await run({ argv: ['ls'] });
  expect(answer.status).toBe(200);
  expect(answer.headers['content-type']).toBe('application/x-ndjson');
  const all = lines(answer.text);
  expect(all.filter((line) => line['type'] === 'stdout').map((line) => line['data'])).toEqual(['one\n', 'two']);
  expect(all.filter((line) => line['type'] === 'stderr').map((line) => line['data'])).toEqual(['oops']);
  expect(all.at(-1)).toEqual({ type: 'exit', code: 3, signal: null, reason: 'exit', via: 'engine' });
});

test('every field of the request reaches the session', async () => {
  const specs: Spec[] = [];
  const script = scriptedSession();
  script.exit();
  const { run } = await open(async (id, spec) => {
    expect(id).toBe('dc-1');
    specs.push(spec);
    return script.session;
  });
  await run({ command: 'cat; pwd', cwd: '/tmp', env: { A: '1', B: 'x=y' }, user: 'dev', stdin: 'hello' });
  expect(specs[0]).toMatchObject({
    argv: ['sh', '-c', 'cat; pwd'],
    workingDir: '/tmp',
    env: ['A=1', 'B=x=y'],
    user: 'dev',
    stdin: true,
  });
  expect(script.written).toEqual(['hello', '<end>']);
});

test('standard input can be any bytes, as base64', async () => {
  const script = scriptedSession();
  script.exit();
  const { run } = await open(async () => script.session);
  const bytes = Buffer.from([0xff, 0x00, 0x0a, 0x80]);
  expect((await run({ argv: ['cat'], stdin: bytes.toString('base64'), stdin_encoding: 'base64' })).status).toBe(200);
  expect(Buffer.concat(script.bytes)).toEqual(bytes);
});

test('a long argument that is not the program is no harm', async () => {
  const script = scriptedSession();
  script.exit();
  const { run } = await open(async () => script.session);
  expect((await run({ argv: ['echo', 'x'.repeat(100_000)] })).status).toBe(200);
});

test('bytes that are not UTF-8 come as base64, split characters come whole', async () => {
  const euro = Buffer.from('€');
  const script = scriptedSession([euro.subarray(0, 1), euro.subarray(1), Uint8Array.of(0xff, 0x00)]);
  script.exit();
  const { run } = await open(async () => script.session);
  expect(lines((await run({ argv: ['x'] })).text).slice(0, 2)).toEqual([
    { type: 'stdout', data: '€' },
    { type: 'stdout', data: '/wA=', encoding: 'base64' },
  ]);
});

test('closing the request drops the session', async () => {
  const script = scriptedSession(['first\n']);
  const aborted = createDeferred<unknown>();
  const { port } = await open(async (_id, spec) => {
    spec.signal?.addEventListener('abort', () => aborted.resolve(spec.signal?.reason));
    return script.session;
  });
  const req = request({
    port,
    host: '127.0.0.1',
    method: 'POST',
    path: '/mnt/devcontainers/dc-1/exec',
    headers: { 'content-type': 'application/json' },
  });
  req.on('error', () => {});
  req.end(JSON.stringify({ argv: ['sleep', '1000'] }));
  const [res] = (await once(req, 'response')) as [NodeJS.ReadableStream];
  await once(res, 'data');
  expect(script.closes).toBe(0);
  req.destroy();
  expect(await aborted.promise).toMatchObject({ code: 'cancelled', details: { reason: 'caller-left' } });
  await expect.poll(() => script.closes).toBe(1);
});

test('a session that comes after the client has left is closed', async () => {
  const script = scriptedSession();
  const asked = createDeferred<AbortSignal>();
  const give = createDeferred<ExecSession>();
  const { port } = await open((_id, spec) => {
    asked.resolve(spec.signal as AbortSignal);
    return give.promise;
  });
  const req = request({
    port,
    host: '127.0.0.1',
    method: 'POST',
    path: '/mnt/devcontainers/dc-1/exec',
    headers: { 'content-type': 'application/json' },
  });
  req.on('error', () => {});
  req.end(JSON.stringify({ argv: ['true'] }));
  const signal = await asked.promise;
  const left = once(signal, 'abort');
  req.destroy();
  await left;
  give.resolve(script.session);
  await expect.poll(() => script.closes).toBeGreaterThan(0);
});

test('a command that takes too long ends with reason timeout', async () => {
  const script = scriptedSession(['working\n']);
  const { run, clock } = await open(async () => script.session);
  const answer = run({ argv: ['sleep', '1000'], timeout_ms: 5000 });
  await expect.poll(() => clock.pending().length).toBe(1);
  await clock.run(5000);
  expect(lines((await answer).text).at(-1)).toEqual({
    type: 'exit',
    code: null,
    signal: null,
    reason: 'timeout',
    via: 'engine',
  });
  expect(script.closes).toBe(1);
});

test('a time-out that passes before there is a session ends the same way', async () => {
  const { run, clock } = await open(() => new Promise(() => {}));
  const answer = run({ argv: ['true'], timeout_ms: 5000 });
  await expect.poll(() => clock.pending().length).toBe(1);
  await clock.run(5000);
  expect(lines((await answer).text)).toMatchObject([{ type: 'exit', reason: 'timeout' }]);
});

test.each([
  ['a lost connection', { exitCode: null, outputHeld: false }, { reason: 'lost', code: null }],
  ['held output', { exitCode: 0, outputHeld: true }, { reason: 'exit', code: 0, output_held: true }],
])('%s is told', async (_name, exit, expected) => {
  const script = scriptedSession();
  script.exit(exit);
  const { run } = await open(async () => script.session);
  expect(lines((await run({ argv: ['x'] })).text).at(-1)).toMatchObject(expected);
});

test('a command that could not be started is told in the last line', async () => {
  const script = scriptedSession();
  script.failToStart(new AgentContainersError('engine-request-failed', 'Starting "nope" failed: no such file.'));
  const { run } = await open(async () => script.session);
  expect(lines((await run({ argv: ['nope'] })).text).at(-1)).toMatchObject({
    reason: 'not-started',
    message: 'Starting "nope" failed: no such file.',
  });
});

const REFUSED = 'OCI runtime exec failed: exec failed: "nope": executable file not found in $PATH: unknown\r\n';

test("the engine's words on a command that did not start are its reason, not its output", async () => {
  const script = scriptedSession([REFUSED]);
  const { run } = await open(async () => script.session);
  const answer = run({ argv: ['nope'] });
  script.failToStart(new AgentContainersError('engine-request-failed', 'Starting "nope" failed: not found in $PATH.'));
  expect(lines((await answer).text)).toEqual([
    {
      type: 'exit',
      code: null,
      signal: null,
      reason: 'not-started',
      via: 'engine',
      message: 'Starting "nope" failed: not found in $PATH.',
    },
  ]);
});

test('a command that says the same and ends is a command that said it', async () => {
  const script = scriptedSession([REFUSED]);
  script.exit({ exitCode: 127, outputHeld: false });
  const { run } = await open(async () => script.session);
  expect(lines((await run({ argv: ['echo'] })).text)).toMatchObject([
    { type: 'stdout', data: REFUSED },
    { type: 'exit', code: 127, reason: 'exit' },
  ]);
});

test('a line as for a terminal is held back for a second at most', async () => {
  const script = scriptedSession(['working\r\n']);
  const { port, clock } = await open(async () => script.session);
  const req = request({
    port,
    host: '127.0.0.1',
    method: 'POST',
    path: '/mnt/devcontainers/dc-1/exec',
    headers: { 'content-type': 'application/json' },
  });
  onTestFinished(() => void req.destroy());
  req.on('error', () => {});
  req.end(JSON.stringify({ argv: ['sleep', '1000'] }));
  const [res] = (await once(req, 'response')) as [NodeJS.ReadableStream];
  await expect.poll(() => clock.pending().length).toBe(1);
  const data = once(res, 'data');
  await clock.run(1000);
  expect(String((await data)[0])).toContain('working');
});

test('further output lets the first line go at once', async () => {
  const script = scriptedSession(['one\r\n', 'two\r\n']);
  const { run, clock } = await open(async () => script.session);
  const answer = run({ argv: ['x'] });
  script.exit();
  expect(lines((await answer).text).map((line) => line['data'] ?? line['code'])).toEqual(['one\r\n', 'two\r\n', 0]);
  expect(clock.pending()).toEqual([]);
});

test.each([
  ['devcontainer-not-found', 404, 'Devcontainer not found.'],
  ['devcontainer-not-running', 409, 'Devcontainer is not running'],
  ['devcontainer-not-adopted', 403, 'Devcontainer is not adopted'],
  ['api-closed', 503, 'API closed'],
] as const)('a refusal with %s has its own status', async (code, status, message) => {
  const { run } = await open(() => Promise.reject(new AgentContainersError(code, 'Running a command failed.')));
  expect(await run({ argv: ['x'] })).toMatchObject({ status, json: { message } });
});

test.each([
  ['neither', {}, 'argv'],
  ['both', { argv: ['a'], command: 'b' }, 'argv'],
  ['an empty argv', { argv: [] }, 'argv'],
  ['a NUL', { argv: ['a\0b'] }, 'argv.0'],
  ['a program name that wedges engines', { argv: ['x'.repeat(4097)] }, 'argv.0'],
  ['standard input that is not base64', { argv: ['a'], stdin: 'a*b=', stdin_encoding: 'base64' }, 'stdin'],
  ['an unknown encoding', { argv: ['a'], stdin: 'a', stdin_encoding: 'hex' }, 'stdin_encoding'],
  ['an encoding of nothing', { argv: ['a'], stdin_encoding: 'base64' }, 'stdin_encoding'],
  ['a relative cwd', { argv: ['a'], cwd: 'src' }, 'cwd'],
  ['a bad environment name', { argv: ['a'], env: { 'A=B': 'x' } }, 'env.A=B'],
  ['a negative time-out', { argv: ['a'], timeout_ms: -1 }, 'timeout_ms'],
  ['an unknown field', { argv: ['a'], shell: true }, 'shell'],
])('%s is refused by field', async (_name, body, field) => {
  const { run } = await open(() => Promise.reject(new Error('must not be called')));
  const answer = await run(body);
  expect(answer).toMatchObject({ status: 400, json: { message: 'Invalid request' } });
  expect((answer.json as { validations: { field: string }[] }).validations.map((one) => one.field)).toContain(field);
});

test('closing the router ends a running exec, and says so', async () => {
  const script = scriptedSession(['first\n']);
  const started = createDeferred<void>();
  const { run, router } = await open(async () => {
    started.resolve();
    return script.session;
  });
  const answer = run({ argv: ['sleep', '1000'] });
  await started.promise;
  await router.close();
  expect(script.closes).toBe(1);
  expect(lines((await answer).text).at(-1)).toMatchObject({ type: 'exit', reason: 'closed' });
});

test('the number of streams is bounded', async () => {
  const script = scriptedSession();
  const clock = createFakeClock();
  const router = createRouter(scriptedApi({ exec: async () => script.session }), { clock, maxStreams: 1 });
  const port = await mount(router);
  const options = {
    method: 'POST',
    path: '/mnt/devcontainers/dc-1/exec',
    headers: { 'content-type': 'application/json' },
    body: '{"argv":["x"]}',
  };
  const first = request({ port, host: '127.0.0.1', ...options });
  onTestFinished(() => void first.destroy());
  first.on('error', () => {});
  first.end(options.body);
  await once(first, 'response');
  expect(await ask(port, options)).toMatchObject({ status: 503, json: { message: 'Too many open streams' } });
});
