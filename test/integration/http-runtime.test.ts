import { createHash, randomBytes } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createApp, type ContainersApp } from '../../src/http/app.ts';
import type { WireExecLine, WireForward, WireOutputPage, WireProcess } from '../../src/http/runtime-wire-schemas.ts';
import { toBytes } from '../../src/http/runtime-wire.ts';
import { isResidentBuilt } from './resident-support.ts';
import { detached } from './support/detached.ts';
import { processesIn } from './support/container-processes.ts';
import { testEngine } from './support/engine-harness.ts';
import { eventually } from './support/eventually.ts';
import { hasAgent, startLibrary, type Library } from './support/library.ts';

// Commands, processes, files and ports over HTTP: the real app, library, resident and engine.

const engine = testEngine();
const TOKEN = 'token-of-the-http-runtime-test'.padEnd(43, 'x');

let library: Library;
let id: string;
let containerId: string;
let base: string;
const apps: ContainersApp[] = [];

async function serve(): Promise<{ readonly app: ContainersApp; readonly base: string }> {
  const app = createApp(library.api, { token: TOKEN });
  apps.push(app);
  const server = app.createServer({ trust: 'token' });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  return { app, base: `http://127.0.0.1:${port}/devcontainers/${id}` };
}

const HEADERS = { authorization: `Bearer ${TOKEN}` };

function post(path: string, body: object = {}, signal?: AbortSignal): Promise<Response> {
  const headers = { ...HEADERS, 'content-type': 'application/json' };
  return fetch(`${base}${path}`, { method: 'POST', headers, body: JSON.stringify(body), ...(signal && { signal }) });
}
const get = (path: string): Promise<Response> => fetch(`${base}${path}`, { headers: HEADERS });
const remove = (path: string): Promise<Response> => fetch(`${base}${path}`, { method: 'DELETE', headers: HEADERS });
async function json<T>(answer: Promise<Response>, status = 200): Promise<T> {
  const response = await answer;
  const text = await response.text();
  expect([response.status, text]).toEqual([status, expect.any(String)]);
  return (text === '' ? undefined : JSON.parse(text)) as T;
}

async function* lines(response: Response): AsyncGenerator<WireExecLine> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const bytes of response.body as unknown as AsyncIterable<Uint8Array>) {
    const parts = (rest + decoder.decode(bytes, { stream: true })).split('\n');
    rest = parts.pop() ?? '';
    for (const part of parts) yield JSON.parse(part) as WireExecLine;
  }
  expect(rest).toBe('');
}

/** Runs a command to its end. */
async function run(body: object) {
  const response = await post('/exec', body);
  expect([response.status, response.headers.get('content-type')]).toEqual([200, 'application/x-ndjson']);
  const out = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
  let first: WireExecLine | undefined;
  let last: WireExecLine | undefined;
  for await (const line of lines(response)) {
    first ??= line;
    last = line;
    if (line.type === 'stdout' || line.type === 'stderr') out[line.type].push(toBytes(line.data, line.encoding));
  }
  expect(first).toMatchObject({ type: 'started', via: 'resident' });
  return { stdout: Buffer.concat(out.stdout), stderr: Buffer.concat(out.stderr), exit: last };
}

const isRunning = async (marker: string): Promise<boolean> =>
  (await processesIn(engine, containerId)).some(({ args }) => args.includes(marker));
const untilGone = (marker: string): Promise<unknown> =>
  eventually(`no process with ${marker}`, async () => !(await isRunning(marker)));
const untilRunning = (marker: string): Promise<unknown> => eventually(marker, () => isRunning(marker));
/** Leaves its parents behind, as daemons do. */
const daemonLine = (marker: string): string => `(${detached(`sleep ${marker}`)} &) ; sleep ${marker}`;

describe.skipIf(!isResidentBuilt)('over HTTP', () => {
  beforeAll(async () => {
    library = await startLibrary(engine);
    const folder = await engine.copyFixture('image');
    const { operation, done } = await library.api.create({ workspaceFolder: folder });
    expect(await done).toMatchObject({ status: 'succeeded' });
    id = operation.devcontainerId;
    containerId = (await library.until(folder, 'its resident', hasAgent)).container?.id ?? '';
    ({ base } = await serve());
  });
  afterAll(async () => {
    await Promise.all(apps.map((app) => app.close()));
    await library?.[Symbol.asyncDispose]();
    await engine.cleanup();
  });

  describe('a command', () => {
    it('has both outputs, an environment, input and an exit code', async () => {
      const { stdout, stderr, exit } = await run({
        command: 'echo "$FIXTURE $MORE ${HOME-unset}"; cat; echo err >&2; exit 7',
        env: { MORE: 'x', HOME: null },
        stdin: 'typed €\n',
      });
      expect([stdout.toString(), stderr.toString()]).toEqual(['image x unset\ntyped €\n', 'err\n']);
      expect(exit).toEqual({ type: 'exit', code: 7, signal: null, reason: 'exit', via: 'resident' });
    });

    it('takes and gives any bytes', async () => {
      const bytes = randomBytes(600_000);
      const body = { argv: ['cat'], stdin: bytes.toString('base64'), stdin_encoding: 'base64' };
      expect((await run(body)).stdout.equals(bytes)).toBe(true);
    });

    it('loses nothing of a long output, in text that is split anywhere', async () => {
      const { stdout, exit } = await run({ command: "yes 'a€' | head -c 20000000" });
      expect(exit).toMatchObject({ code: 0 });
      expect(stdout.length).toBe(20_000_000);
      const line = Buffer.from('a€\n');
      expect(stdout.equals(Buffer.alloc(20_000_000, line))).toBe(true);
    });

    it('ends by its time-out with its whole tree', async () => {
      const { exit } = await run({ command: daemonLine('70001'), timeout_ms: 1_000 });
      expect(exit).toMatchObject({ type: 'exit', reason: 'timeout' });
      await untilGone('70001');
    });

    it('ends with its whole tree when the client leaves', async () => {
      const leaving = new AbortController();
      const response = await post('/exec', { command: `echo up; ${daemonLine('70002')}` }, leaving.signal);
      // Read by hand: a loop that is left early closes the answer.
      const seen = lines(response);
      expect((await seen.next()).value).toMatchObject({ type: 'started' });
      expect((await seen.next()).value).toEqual({ type: 'stdout', data: 'up\n' });
      await untilRunning('70002');
      leaving.abort();
      await untilGone('70002');
    });

    it('runs on when the server closes, and is found again by its id', async () => {
      const other = await serve();
      const response = await fetch(`${other.base}/exec`, {
        method: 'POST',
        headers: { ...HEADERS, 'content-type': 'application/json' },
        body: JSON.stringify({ command: 'echo one; sleep 70003; echo two' }),
      });
      const seen: WireExecLine[] = [];
      let closing: Promise<void> | undefined;
      for await (const line of lines(response)) {
        seen.push(line);
        if (line.type === 'stdout') closing ??= other.app.close();
      }
      await closing;
      expect(seen.at(-1)).toMatchObject({ type: 'exit', code: null, reason: 'closed' });
      const { process_id: processId } = seen[0] as Extract<WireExecLine, { type: 'started' }>;
      expect(await json(get(`/processes/${processId}`))).toMatchObject({ running: true, kind: 'exec' });
      await untilRunning('70003');
      expect(await json(post(`/processes/${processId}/kill`, { grace_ms: 100 }))).toMatchObject({
        running: false,
        exit: { reason: 'killed', survivors: [] },
      });
      await untilGone('70003');
    });

    it('that is not there is refused with a reason', async () => {
      expect(await json(post('/exec', { argv: ['/not/there'] }), 409)).toMatchObject({
        code: 'command-refused',
        detail: expect.stringContaining('/not/there') as string,
      });
    });
  });

  describe('a command of an agent', () => {
    it('is answered with both outputs in their order', async () => {
      const line = 'echo one; echo two >&2; echo three; exit 3';
      expect(await json(post('/bash', { command: line }))).toEqual({
        output: 'one\ntwo\nthree',
        exit_code: 3,
        via: 'resident',
      });
    });

    it('ends by its time-out with its whole tree, with what it has written', async () => {
      const answer = await json<{ output: string }>(
        post('/bash', { command: `echo begun; ${daemonLine('70004')}`, timeout_ms: 1_000 }),
      );
      expect(answer).toMatchObject({ output: 'begun\nCommand canceled due to timeout', exit_code: 124 });
      await untilGone('70004');
    });

    it('ends with its whole tree when the client leaves', async () => {
      const leaving = new AbortController();
      const answer = post('/bash', { command: daemonLine('70005') }, leaving.signal);
      answer.catch(() => {});
      await untilRunning('70005');
      leaving.abort();
      await untilGone('70005');
    });

    it('with a key runs on when the client leaves, and a retry is answered for the same run', async () => {
      const leaving = new AbortController();
      const request = {
        command: 'echo run >>/tmp/runs-9004; sleep 6.9004; cat /tmp/runs-9004',
        idempotency_key: 'k9004',
      };
      const left = post('/bash', request, leaving.signal).catch(() => 'left');
      await untilRunning('sleep 6.9004');
      leaving.abort();
      expect(await left).toBe('left');
      expect(await json(post('/bash', request))).toMatchObject({ output: 'run', exit_code: 0, via: 'resident' });
      expect(await json(post('/bash', request))).toMatchObject({ output: 'run', exit_code: 0 });
      await json(post('/bash', { ...request, command: 'true' }), 409);
    });

    it('runs on in the background, once for each key, and can be read and ended', async () => {
      const body = {
        command: `echo begun; ${daemonLine('70006')}`,
        timeout_ms: 1_000,
        background: true,
        idempotency_key: 'http-runtime',
      };
      const first = await json<{ process_id: string }>(post('/bash', body));
      expect(first).toMatchObject({
        output: 'begun\nCommand continues running in background',
        exit_code: null,
        process_id: expect.any(String) as string,
      });
      expect(await json(post('/bash', body))).toMatchObject({ process_id: first.process_id });
      const path = `/processes/${first.process_id}`;
      expect(await json(get(`${path}/output?offset=2`))).toMatchObject({ output: 'gun\n', offset: 2, next_offset: 6 });
      await json(post(`${path}/kill`));
      await untilGone('70006');
      expect(await json(get(`${path}/output?offset=6`))).toMatchObject({ running: false, reason: 'killed' });
    });

    it('in the background can be read, written to, waited for and ended', async () => {
      const line = 'echo ready; while read -r word; do echo "got $word"; done; echo over; sleep 70007';
      const { process_id: process } = await json<{ process_id: string }>(
        post('/bash', { command: line, timeout_ms: 1_000, background: true }),
      );
      const path = `/processes/${process}`;
      const read = async (offset: number, text: string): Promise<void> => {
        await eventually(text, async () =>
          (await json<WireOutputPage>(get(`${path}/output?offset=${offset}&wait=1000`))).output.endsWith(text),
        );
      };
      await read(0, 'ready\n');
      await json(post(`${path}/stdin`, { data: 'one\n' }), 204);
      await read(6, 'got one\n');
      await json(post(`${path}/stdin`, { data: 'two\n', eof: true }), 204);
      await read(14, 'got two\nover\n');
      expect(await json(get(`${path}?wait=100`))).toMatchObject({ running: true, stdin: { open: false } });
      const waiting = get(`${path}?wait=60000`);
      await json(post(`${path}/kill`, { grace_ms: 100 }));
      expect(await json(waiting)).toMatchObject({ running: false, exit: { reason: 'killed', survivors: [] } });
      await untilGone('70007');
    });

    it('in the foreground reads the end of its input at once', async () => {
      expect(await json(post('/bash', { command: 'cat; echo over' }))).toMatchObject({ output: 'over', exit_code: 0 });
    });

    it('has a long output from its beginning and its end, and the rest to be read', async () => {
      const answer = await json<{ process_id: string; truncated: { total_bytes: number; omitted_bytes: number } }>(
        post('/bash', { command: 'seq 1 200000' }),
      );
      const all = Array.from({ length: 200_000 }, (_, index) => `${index + 1}\n`).join('');
      expect(answer.truncated.total_bytes).toBe(all.length);
      let read = '';
      for (let offset = 0; offset < all.length;) {
        const page: WireOutputPage = await json(
          get(`/processes/${answer.process_id}/output?offset=${offset}&limit=1000000`),
        );
        expect(page.offset).toBe(offset);
        read += page.output;
        offset = page.next_offset;
      }
      expect(read === all).toBe(true);
    });
  });

  describe('a process', () => {
    it('is started, written to, read, waited for and forgotten', async () => {
      const start = { command: 'read a; echo "got $a"; read b; echo "and $b" >&2; exit 5', stdin: true, merged: true };
      const { id: process } = await json<WireProcess>(post('/processes', start), 201);
      const path = `/processes/${process}`;
      expect(await json(get('/processes'))).toMatchObject({
        processes: expect.arrayContaining([expect.objectContaining({ id: process, running: true })]) as unknown,
      });
      await json(post(`${path}/stdin`, { data: 'ice\n' }), 204);
      expect(await json(get(`${path}/output?wait=30000`))).toMatchObject({ output: 'got ice\n', running: true });
      expect((await remove(path)).status).toBe(409);
      const followed = await get(`${path}/output?offset=4&follow=1`);
      await json(
        post(`${path}/stdin`, { data: Buffer.from('fire\n').toString('base64'), encoding: 'base64', eof: true }),
        204,
      );
      const seen: WireExecLine[] = [];
      for await (const line of lines(followed)) seen.push(line);
      const text = seen.map((line) => ('data' in line ? line.data : '')).join('');
      expect(text).toBe('ice\nand fire\n');
      expect(seen[0]).toMatchObject({ offset: 4 });
      expect(seen.at(-1)).toMatchObject({ type: 'exit', code: 5, reason: 'exit' });
      expect(await json(get(`${path}?wait=30000`))).toMatchObject({ running: false, exit: { code: 5 } });
      expect((await remove(path)).status).toBe(204);
      expect((await get(path)).status).toBe(404);
    });

    it('is signalled, and a terminal resized', async () => {
      const trap = { command: "trap 'echo caught; exit 4' INT; echo ready; while :; do sleep 0.1; done" };
      const { id: trapped } = await json<WireProcess>(post('/processes', trap), 201);
      await json(get(`/processes/${trapped}/output?wait=30000`));
      await json(post(`/processes/${trapped}/signal`, { signal: 'SIGINT' }), 204);
      expect(await json(get(`/processes/${trapped}?wait=60000`))).toMatchObject({ exit: { code: 4 } });

      const { id: terminal } = await json<WireProcess>(
        post('/processes', { argv: ['sh'], tty: { width: 80, height: 24 }, key: 'http-terminal' }),
        201,
      );
      const path = `/processes/${terminal}`;
      await json(post(`${path}/resize`, { width: 101, height: 42 }), 204);
      await json(post(`${path}/stdin`, { data: 'stty size\r' }), 204);
      await eventually('the new size', async () =>
        (await json<WireOutputPage>(get(`${path}/output`))).output.includes('42 101'),
      );
      expect(await json(post(`${path}/kill`, { grace_ms: 100 }))).toMatchObject({ kind: 'terminal', running: false });
    });
  });

  describe('files', () => {
    const digest = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

    it('of 20 MB come back byte for byte, whole and in parts', async () => {
      const bytes = randomBytes(20_000_000);
      async function* slices(): AsyncGenerator<Uint8Array> {
        for (let at = 0; at < bytes.length; at += 300_007) yield bytes.subarray(at, at + 300_007);
      }
      const path = encodeURIComponent('/tmp/http dir/große Datei');
      const written = await fetch(`${base}/files/content?path=${path}&parents&mode=0640`, {
        method: 'PUT',
        headers: { ...HEADERS, 'content-type': 'application/octet-stream' },
        body: slices() as unknown as ReadableStream,
        duplex: 'half',
      } as RequestInit);
      expect(await json(Promise.resolve(written))).toMatchObject({ type: 'file', size: bytes.length, mode: '0640' });
      const response = await get(`/files/content?path=${path}`);
      expect(response.headers.get('content-length')).toBe(String(bytes.length));
      expect(digest(new Uint8Array(await response.arrayBuffer()))).toBe(digest(bytes));
      const part = await get(`/files/content?path=${path}&offset=7000001&length=123456`);
      expect(digest(new Uint8Array(await part.arrayBuffer()))).toBe(digest(bytes.subarray(7_000_001, 7_123_457)));
      expect(await json(get(`/files/stat?path=${path}`))).toMatchObject({ path: '/tmp/http dir/große Datei' });
      const { stdout } = await run({ argv: ['sha256sum', '/tmp/http dir/große Datei'] });
      expect(stdout.toString()).toContain(digest(bytes));
    });

    it('are made, listed, searched, moved and removed', async () => {
      await json(post('/files/mkdir', { path: '/tmp/http tree/sub', parents: true }));
      await fetch(`${base}/files/content?path=${encodeURIComponent('/tmp/http tree/sub/a.txt')}`, {
        method: 'PUT',
        headers: { ...HEADERS, 'content-type': 'application/octet-stream' },
        body: 'one\nneedle here\n',
      });
      const twice = await fetch(
        `${base}/files/content?path=${encodeURIComponent('/tmp/http tree/sub/a.txt')}&create_only`,
        { method: 'PUT', headers: { ...HEADERS, 'content-type': 'application/octet-stream' }, body: 'x' },
      );
      expect(twice.status).toBe(409);
      expect(await json(get('/files/list?path=/tmp/http%20tree'))).toMatchObject({
        entries: [{ path: '/tmp/http tree/sub', type: 'directory' }],
        truncated: false,
      });
      const found = await post('/files/search', { path: '/tmp/http tree', glob: '*.txt', text: 'needle' });
      expect(JSON.parse(await found.text())).toMatchObject({ line: 2, column: 1, text: 'needle here' });
      expect(await json(post('/files/move', { from: '/tmp/http tree/sub', to: '/tmp/http tree/new' }))).toMatchObject({
        path: '/tmp/http tree/new',
      });
      expect((await post('/files/remove', { path: '/tmp/http tree' })).status).toBe(409);
      expect((await post('/files/remove', { path: '/tmp/http tree', recursive: true })).status).toBe(204);
      expect((await get('/files/stat?path=/tmp/http%20tree')).status).toBe(404);
      expect((await get('/files/content?path=/tmp/http%20tree')).status).toBe(404);
    });

    it('that come only half are not there, and leave nothing behind', async () => {
      const leaving = new AbortController();
      async function* half(): AsyncGenerator<Uint8Array> {
        yield Buffer.alloc(3_000_000);
        await eventually('the beginning of the file', async () => {
          const { entries } = await json<{ entries: { size: number }[] }>(get('/files/list?path=/tmp/half'));
          return entries.some(({ size }) => size > 0);
        });
        leaving.abort();
      }
      await json(post('/files/mkdir', { path: '/tmp/half' }));
      const upload = fetch(`${base}/files/content?path=/tmp/half/file`, {
        method: 'PUT',
        headers: { ...HEADERS, 'content-type': 'application/octet-stream' },
        body: half() as unknown as ReadableStream,
        duplex: 'half',
        signal: leaving.signal,
      } as RequestInit);
      await expect(upload).rejects.toMatchObject({ name: 'AbortError' });
      await eventually('an empty directory', async () => {
        const { entries } = await json<{ entries: unknown[] }>(get('/files/list?path=/tmp/half'));
        return entries.length === 0;
      });
    });

    it('without a size are sent, too', async () => {
      const response = await get('/files/content?path=/proc/version');
      expect(response.headers.get('content-length')).toBeNull();
      expect(await response.text()).toMatch(/^Linux version/);
    });
  });

  it('ports are listed with the process that listens, and forwarded; statistics are told', async () => {
    const listen = { argv: ['httpd', '-f', '-p', '127.0.0.1:7071', '-h', '/tmp'] };
    const { id: process } = await json<WireProcess>(post('/processes', listen), 201);
    await eventually('the port', async () => {
      const { ports } = await json<{ ports: { port: number; address: string; process?: string }[] }>(get('/ports'));
      return ports.some((one) => one.port === 7071 && one.address === '127.0.0.1' && one.process === process);
    });
    const forward = await json<WireForward>(post('/forwards', { port: 7071 }), 201);
    expect(forward).toMatchObject({ host: '127.0.0.1', port: 7071, status: 'listening' });
    expect(await json(get('/forwards'))).toEqual({ forwards: [forward] });
    await run({ command: 'echo forwarded >/tmp/page' });
    const page = await fetch(`http://127.0.0.1:${forward.host_port}/page`);
    expect(await page.text()).toBe('forwarded\n');
    expect((await remove(`/forwards/${forward.id}`)).status).toBe(204);
    expect((await remove(`/forwards/${forward.id}`)).status).toBe(404);
    await json(post(`/processes/${process}/kill`));
    expect(await json(get('/stats'))).toMatchObject({
      memory: { current: expect.any(Number) as number },
      resident_bytes: expect.any(Number) as number,
    });
  });
});
