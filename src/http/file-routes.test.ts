import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { connect as connectSocket } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import type { FoundLine, FoundMore } from '../agentcontainers/ports.ts';
import { createDeferred } from '../async/deferred.ts';
import { AgentContainersError } from '../errors.ts';
import { createFakeClock } from '../testing/fake-clock.ts';
import { createRouter } from './router.ts';
import { scriptedApi } from './test-api.ts';
import { fileStat, noted, scriptedRuntime } from './test-runtime.ts';
import type { Ask } from './test-server.ts';
import { ask, mount } from './test-server.ts';

const BASE = '/mnt/devcontainers/dc-1/files';
const JSON_HEADERS = { 'content-type': 'application/json' };
const FILE_HEADERS = { 'content-type': 'application/octet-stream' };
type Files = NonNullable<NonNullable<Parameters<typeof scriptedRuntime>[0]>['files']>;

async function open(files: Files) {
  const clock = createFakeClock();
  const router = createRouter(scriptedApi({ devcontainer: () => scriptedRuntime({ files }) }), { clock });
  const port = await mount(router);
  const get = (path: string) => ask(port, { path: `${BASE}${path}` });
  const post = (path: string, body: object) =>
    ask(port, { method: 'POST', path: `${BASE}${path}`, headers: JSON_HEADERS, body: JSON.stringify(body) });
  const put = (query: string, what: Partial<Ask> = {}) =>
    ask(port, { method: 'PUT', path: `${BASE}/content${query}`, headers: FILE_HEADERS, body: 'abc', ...what });
  /** An upload whose body the test sends. */
  function upload(headers: Record<string, string> = {}) {
    const req = request({
      port,
      host: '127.0.0.1',
      method: 'PUT',
      path: `${BASE}/content?path=a`,
      headers: { ...FILE_HEADERS, ...headers },
      agent: false,
    });
    const failed = once(req, 'error');
    onTestFinished(() => void req.destroy());
    req.on('error', () => {});
    failed.catch(() => {});
    const response = once(req, 'response').then(([res]) => res as IncomingMessage);
    response.catch(() => {});
    return { req, response };
  }
  return { clock, router, port, get, post, put, upload };
}

const STAT = {
  path: '/w/a',
  type: 'file',
  size: 3,
  mode: '0644',
  modified_at: '2025-01-31T12:00:00.000Z',
  uid: 1000,
  gid: 1000,
};

async function readAll(content: Uint8Array | AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of content as AsyncIterable<Uint8Array>) chunks.push(chunk);
  return Buffer.concat(chunks);
}

test('files are looked at, listed, made, moved and removed', async () => {
  const { calls, note } = noted();
  const link = fileStat({ path: '/w/l', type: 'link', target: 'a' });
  const { get, post } = await open({
    stat: note('stat', link),
    list: note('list', { entries: [fileStat(), link], truncated: true }),
    mkdir: note('mkdir', fileStat()),
    move: note('move', fileStat()),
    remove: note('remove', undefined),
  });
  const linked = { ...STAT, path: '/w/l', type: 'link', target: 'a' };
  expect((await get('/stat?path=l')).json).toEqual(linked);
  expect((await get('/list?path=%2Fw%20x')).json).toEqual({ entries: [STAT, linked], truncated: true });
  expect((await post('/mkdir', { path: 'd', mode: '0700', parents: true })).json).toEqual(STAT);
  expect((await post('/mkdir', { path: 'd' })).json).toEqual(STAT);
  expect((await post('/move', { from: 'a', to: 'b', overwrite: true })).json).toEqual(STAT);
  expect(await post('/remove', { path: 'a', recursive: true })).toMatchObject({ status: 204, text: '' });
  expect(calls).toEqual([
    ['stat', 'l'],
    ['list', '/w x'],
    ['mkdir', 'd', { parents: true, mode: '0700' }],
    ['mkdir', 'd', { parents: false }],
    ['move', 'a', 'b', { overwrite: true }],
    ['remove', 'a', { recursive: true }],
  ]);
});

test.each([
  ['/move', { from: 'a', to: 'b' }, 200],
  ['/remove', { path: 'a', recursive: true }, 204],
])('%s takes the time that it takes', async (path, body, status) => {
  const done = createDeferred<void>();
  let given: AbortSignal | undefined;
  const { clock, post } = await open({
    move: async (_from, _to, _options, signal) => {
      given = signal;
      await done.promise;
      return fileStat();
    },
    remove: async (_path, _options, signal) => {
      given = signal;
      await done.promise;
    },
  });
  const answer = post(path, body);
  await expect.poll(() => given).toBeDefined();
  await clock.run(3_600_000);
  expect(given?.aborted).toBe(false);
  done.resolve();
  expect(await answer).toMatchObject({ status });
});

test('what is not there is a 404 with the path in its detail', async () => {
  const { get, post } = await open({
    stat: async () => undefined,
    remove: () => Promise.reject(new AgentContainersError('path-not-found', 'Removing "x" failed: it is not there.')),
  });
  const detail = 'Looking at "x" failed: there is no such path.';
  expect(await get('/stat?path=x')).toMatchObject({ status: 404, json: { message: 'Path not found', detail } });
  expect(await post('/remove', { path: 'x' })).toMatchObject({ status: 404, json: { code: 'path-not-found' } });
});

async function* play(...chunks: readonly (string | Uint8Array)[]): AsyncGenerator<Uint8Array> {
  for (const chunk of chunks) yield Buffer.from(chunk as string);
}

test.each<[string, string, number, readonly string[], string, string | undefined]>([
  ['a whole file', '?path=a', 5, ['ab', 'cde'], 'abcde', '5'],
  ['a part', '?path=a&offset=1&length=2', 5, ['bc'], 'bc', '2'],
  ['a part that is longer than the rest', '?path=a&offset=3&length=9', 5, ['de'], 'de', '2'],
  ['nothing after the end', '?path=a&offset=9', 5, [], '', '0'],
  ['nothing at all', '?path=a&length=0', 5, [], '', '0'],
  ['an empty file', '?path=a', 0, [], '', undefined],
  ['a file that the kernel makes up', '?path=a', 0, ['made'], 'made', undefined],
  ['a file that has grown meanwhile', '?path=a', 2, ['abc', 'd'], 'ab', '2'],
])('%s is sent as it is', async (_name, query, size, chunks, expected, length) => {
  const ranges: unknown[] = [];
  const { get } = await open({
    async read(path, range) {
      ranges.push([path, range]);
      return { size, bytes: play(...chunks) };
    },
  });
  const answer = await get(`/content${query}`);
  expect([answer.status, answer.text]).toEqual([200, expected]);
  expect(answer.headers['content-length']).toBe(length);
  expect(answer.headers).toMatchObject({
    'content-type': 'application/octet-stream',
    'content-disposition': 'attachment',
    'x-content-type-options': 'nosniff',
  });
  const [[path, range]] = ranges as [[string, object]];
  const asked = new URLSearchParams(query);
  const number = (name: string) => (asked.has(name) ? { [name]: Number(asked.get(name)) } : {});
  expect([path, range]).toEqual(['a', { offset: 0, ...number('offset'), ...number('length') }]);
});

test.each<[string, number, () => AsyncGenerator<Uint8Array>]>([
  ['an error in the middle', 10, broken],
  ['an error in the middle of one without a size', 0, broken],
  ['a file that has become shorter', 10, () => play('abc')],
])('%s cuts the connection', async (_name, size, bytes) => {
  const { port } = await open({ read: async () => ({ size, bytes: bytes() }) });
  // One that stays open would leave the client waiting.
  const headers = { connection: 'keep-alive' };
  await expect(ask(port, { path: `${BASE}/content?path=a`, headers })).rejects.toMatchObject({ code: 'ECONNRESET' });
});

async function* broken(): AsyncGenerator<Uint8Array> {
  yield Buffer.from('abc');
  throw new AgentContainersError('runtime-unavailable', 'Reading failed: it has gone.');
}

test('an error before the first byte has its own status', async () => {
  const { get } = await open({
    read: () => Promise.reject(new AgentContainersError('command-refused', 'Reading "d" failed: is a directory.')),
  });
  expect(await get('/content?path=d')).toMatchObject({
    status: 409,
    json: { detail: 'Reading "d" failed: is a directory.' },
  });
});

/** Endless content, and how much of it was taken. */
function endless() {
  const chunk = Buffer.alloc(65_536, 0x61);
  let taken = 0;
  const left = createDeferred<void>();
  async function* bytes(): AsyncGenerator<Uint8Array> {
    try {
      for (;;) {
        taken++;
        yield chunk;
      }
    } finally {
      left.resolve();
    }
  }
  return { bytes, taken: () => taken, left: left.promise };
}

test('a slow client holds the reading up, and ends it when it leaves', async () => {
  const source = endless();
  const { port } = await open({ read: async () => ({ size: 2 ** 40, bytes: source.bytes() }) });
  const req = request({ port, host: '127.0.0.1', path: `${BASE}/content?path=a`, agent: false });
  req.on('error', () => {});
  req.end();
  const [res] = (await once(req, 'response')) as [IncomingMessage];
  res.on('error', () => {});
  let seen = -1;
  await expect
    .poll(
      () => {
        const before = seen;
        seen = source.taken();
        return seen > 0 && seen === before;
      },
      { interval: 300, timeout: 20_000 },
    )
    .toBe(true);
  expect(seen).toBeLessThan(1_000);
  req.destroy();
  await source.left;
});

test.each([2 ** 40, 0])('the closing of the server cuts a download off (size %i)', async (size) => {
  const source = endless();
  const { get, router } = await open({ read: async () => ({ size, bytes: source.bytes() }) });
  const answer = get('/content?path=a');
  answer.catch(() => {});
  await expect.poll(source.taken).toBeGreaterThan(1);
  await router.close();
  await expect(answer).rejects.toMatchObject({ code: 'ECONNRESET' });
});

test('a file is written as it comes in, with what was asked for', async () => {
  const calls: unknown[] = [];
  const { put } = await open({
    async write(path, content, options) {
      calls.push([path, options, (await readAll(content)).toString('latin1')]);
      return fileStat();
    },
  });
  const bytes = Buffer.from([0xff, 0, 0x0a, 0x80]);
  expect((await put('?path=a&mode=0755&parents&create_only=true', { body: bytes })).json).toEqual(STAT);
  expect((await put('?path=a', { headers: { ...FILE_HEADERS, 'transfer-encoding': 'chunked' } })).json).toEqual(STAT);
  expect((await put('?path=a', { body: '' })).json).toEqual(STAT);
  expect(calls).toEqual([
    ['a', { parents: true, createOnly: true, mode: '0755' }, bytes.toString('latin1')],
    ['a', { parents: false, createOnly: false }, 'abc'],
    ['a', { parents: false, createOnly: false }, ''],
  ]);
});

test('a file may be larger than any other body, and is not held in memory', async () => {
  let size = 0;
  let largest = 0;
  const { upload } = await open({
    async write(_path, content) {
      for await (const chunk of content as AsyncIterable<Uint8Array>) {
        size += chunk.length;
        largest = Math.max(largest, chunk.length);
      }
      return fileStat({ size });
    },
  });
  const { req, response } = upload();
  const chunk = Buffer.alloc(1024 * 1024);
  for (let i = 0; i < 16; i++) if (!req.write(chunk)) await once(req, 'drain');
  req.end();
  expect((await response).statusCode).toBe(200);
  expect(size).toBe(16 * chunk.length);
  expect(largest).toBeLessThanOrEqual(1024 * 1024);
});

test('a slow container holds the client up', async () => {
  const go = createDeferred<void>();
  const { upload } = await open({
    async write(_path, content) {
      await go.promise;
      await readAll(content);
      return fileStat();
    },
  });
  const { req, response } = upload();
  const chunk = Buffer.alloc(1024 * 1024);
  let isHeldUp = false;
  for (let i = 0; i < 64 && !isHeldUp; i++) {
    if (req.write(chunk)) continue;
    isHeldUp = await Promise.race([
      once(req, 'drain').then(() => false),
      new Promise<boolean>((resolve) => setTimeout(() => resolve(true), 1_000)),
    ]);
  }
  expect(isHeldUp).toBe(true);
  go.resolve();
  req.end();
  expect((await response).statusCode).toBe(200);
});

test.each([{ 'content-length': '1000' }, { 'transfer-encoding': 'chunked' }])(
  'a client that leaves half way has written nothing (%j)',
  async (headers) => {
    const outcome = createDeferred<unknown>();
    const began = createDeferred<AbortSignal>();
    const { upload } = await open({
      async write(_path, content, _options, signal) {
        try {
          for await (const _chunk of content as AsyncIterable<Uint8Array>) began.resolve(signal as AbortSignal);
          outcome.resolve('whole');
        } catch (error) {
          outcome.resolve(error);
        }
        return fileStat();
      },
    });
    const { req } = upload(headers as Record<string, string>);
    req.write('abc');
    const signal = await began.promise;
    req.destroy();
    expect(await outcome.promise).toMatchObject({ message: 'Incomplete request body' });
    await expect.poll(() => signal.aborted).toBe(true);
  },
);

test('the closing of the server ends an upload', async () => {
  const began = createDeferred<void>();
  const { upload, router } = await open({
    async write(_path, _content, _options, signal) {
      began.resolve();
      await once(signal as AbortSignal, 'abort');
      throw signal?.reason as Error;
    },
  });
  const { req, response } = upload();
  req.write('abc');
  await began.promise;
  await router.close();
  expect((await response).statusCode).toBe(503);
});

test('an upload that is refused half way gets its answer, and its connection is closed', async () => {
  const { port, clock } = await open({
    async write(_path, content) {
      for await (const _chunk of content as AsyncIterable<Uint8Array>) break;
      throw new AgentContainersError('path-not-found', 'Writing "a" failed: there is no such directory.');
    },
  });
  const socket = connectSocket({ port, host: '127.0.0.1', allowHalfOpen: true });
  onTestFinished(() => void socket.destroy());
  socket.on('error', () => {});
  let text = '';
  socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
  const answered = once(socket, 'end');
  const head = `PUT ${BASE}/content?path=a HTTP/1.1\r\nHost: x\r\nContent-Type: application/octet-stream`;
  const bytes = 20_000_000;
  socket.write(`${head}\r\nContent-Length: ${bytes}\r\n\r\nabc`);
  await answered;
  expect(text).toMatch(/^HTTP\/1\.1 404 /);
  expect(text.toLowerCase()).toContain('connection: close');
  // What was on its way is taken, so that it does not push the answer out of the client's system.
  const rest = Buffer.alloc(bytes / 2);
  await new Promise((resolve) => socket.write(rest, resolve));
  await clock.run(2_000);
  expect(clock.pending()).toEqual([]);
});

test('a client that sends nothing for a minute is refused, and one that sends on is not', async () => {
  const { upload, clock } = await open({
    async write(_path, content) {
      await readAll(content);
      return fileStat();
    },
  });
  const { req, response } = upload();
  const waits = async (): Promise<void> => {
    req.write('abc');
    await expect.poll(() => clock.pending().length).toBe(1);
    await clock.settle();
  };
  await waits();
  await clock.run(59_000);
  const before = clock.pending()[0]?.at;
  req.write('abc');
  await expect.poll(() => (clock.pending()[0]?.at ?? 0) > (before ?? 0)).toBe(true);
  await clock.run(60_000);
  expect((await response).statusCode).toBe(408);
});

test.each<[string, Partial<Ask>, number, string]>([
  ['no content type', { headers: {} }, 415, 'Content type must be application/octet-stream'],
  ['JSON', { headers: JSON_HEADERS, body: '{}' }, 415, 'Content type must be application/octet-stream'],
  [
    'a form',
    { headers: { 'content-type': 'multipart/form-data; boundary=x' } },
    415,
    'Content type must be application/octet-stream',
  ],
  ['text', { headers: { 'content-type': 'text/plain' } }, 415, 'Content type must be application/octet-stream'],
  [
    'a compressed body',
    { headers: { ...FILE_HEADERS, 'content-encoding': 'gzip' } },
    415,
    'Content type must be application/octet-stream',
  ],
  ['POST', { method: 'POST' }, 405, 'Method not allowed'],
  ['HEAD', { method: 'HEAD', body: '' }, 405, ''],
])('an upload with %s is refused', async (_name, what, status, message) => {
  const { put } = await open({});
  const answer = await put('?path=a', what);
  expect(answer.status).toBe(status);
  if (message !== '') expect(answer.json).toMatchObject({ message });
});

test('a file is no body of any other route', async () => {
  const { port } = await open({});
  const answer = await ask(port, { method: 'POST', path: `${BASE}/mkdir`, headers: FILE_HEADERS, body: '{}' });
  expect(answer).toMatchObject({ status: 415, json: { message: 'Content type must be application/json' } });
});

const FOUND: (FoundLine | FoundMore)[] = [
  { path: 'a', line: 1, column: 2, text: 'x' },
  { path: 'b' },
  { truncated: true },
];

test('what is found comes as lines', async () => {
  const queries: unknown[] = [];
  const { post } = await open({
    async *search(path, query) {
      queries.push([path, query]);
      yield* FOUND;
    },
  });
  const answer = await post('/search', { path: '.', glob: '*.ts', text: 'x', limit: 5 });
  expect(answer.headers['content-type']).toBe('application/x-ndjson');
  expect(answer.text).toBe(FOUND.map((found) => `${JSON.stringify(found)}\n`).join(''));
  await post('/search', { path: '.' });
  expect(queries).toEqual([
    ['.', { glob: '*.ts', text: 'x', limit: 5 }],
    ['.', { limit: 1000 }],
  ]);
});

test('a search that finds nothing is empty; one that fails has its status, or is cut off', async () => {
  // oxlint-disable-next-line require-yield
  const nothing = await open({ async *search() {} });
  expect(await nothing.post('/search', { path: '.' })).toMatchObject({ status: 200, text: '' });
  const failing = (found: readonly (FoundLine | FoundMore)[]) =>
    open({
      async *search() {
        yield* found;
        throw new AgentContainersError('runtime-unavailable', 'Searching "." failed: only a resident can.');
      },
    });
  expect(await (await failing([])).post('/search', { path: '.' })).toMatchObject({
    status: 409,
    json: { detail: 'Searching "." failed: only a resident can.' },
  });
  await expect((await failing(FOUND)).post('/search', { path: '.' })).rejects.toMatchObject({ code: 'ECONNRESET' });
});

test('the closing of the server cuts a search off', async () => {
  const found = createDeferred<void>();
  const { post, router } = await open({
    async *search(_path, _query, signal) {
      yield* FOUND;
      found.resolve();
      await once(signal as AbortSignal, 'abort');
    },
  });
  const answer = post('/search', { path: '.' });
  answer.catch(() => {});
  await found.promise;
  await router.close();
  await expect(answer).rejects.toMatchObject({ code: 'ECONNRESET' });
});

test.each<[string, object, string]>([
  ['/mkdir', {}, 'path'],
  ['/mkdir', { path: '' }, 'path'],
  ['/mkdir', { path: 'a\0' }, 'path'],
  ['/mkdir', { path: 'x'.repeat(4097) }, 'path'],
  ['/mkdir', { path: 'a', mode: '888' }, 'mode'],
  ['/mkdir', { path: 'a', mode: 493 }, 'mode'],
  ['/mkdir', { path: 'a', all: 1 }, 'all'],
  ['/move', { from: 'a' }, 'to'],
  ['/move', { from: 'a', to: 'b', overwrite: 'yes' }, 'overwrite'],
  ['/remove', { path: 'a', force: true }, 'force'],
  ['/search', { path: 'a', limit: 10_001 }, 'limit'],
  ['/search', { path: 'a', limit: 0 }, 'limit'],
  ['/search', { path: 'a', text: '' }, 'text'],
])('%s with %j is refused by field', async (path, body, field) => {
  const { post } = await open({});
  const answer = await post(path, body);
  expect(answer).toMatchObject({ status: 400, json: { validations: [{ field }] } });
});

test.each([
  ['/stat', 'path'],
  ['/stat?path=', 'path'],
  ['/stat?path=%00', 'path'],
  ['/stat?path=a&follow=1', 'follow'],
  ['/list?path=a&path=b', 'path'],
  ['/content?path=a&offset=-1', 'offset'],
  ['/content?path=a&length=x', 'length'],
])('%s is refused with a word about %s', async (path, field) => {
  const { get } = await open({});
  expect(await get(path)).toMatchObject({ status: 400, json: { validations: [{ field }] } });
});

test.each(['', '?path=a&mode=rwx', '?path=a&create_only=maybe', '?path=a&length=3'])(
  'an upload to %j is refused before anything of it is read',
  async (query) => {
    const { put } = await open({});
    expect(await put(query)).toMatchObject({ status: 400, json: { message: 'Invalid request' } });
  },
);
