import { connect as connectSocket } from 'node:net';
import { dirname } from 'node:path';
import { readFile } from 'node:fs/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { ask, connect, type Ask } from '../../src/http/test-server.ts';
import type { WireDevcontainer } from '../../src/http/wire-schemas.ts';
import { subAgentsIn } from './support/container-processes.ts';
import {
  API,
  JSON_TYPE,
  buildDaemon,
  isInjected,
  startDaemon,
  type DaemonBuild,
  type DaemonProcess,
} from './support/daemon.ts';
import { eventually } from './support/eventually.ts';
import { testEngine } from './support/engine-harness.ts';

// What is wrong is answered as documented, over both ways in, by a daemon at work; and nothing suffers from it.

const engine = testEngine();
let build: DaemonBuild;
let daemon: DaemonProcess;
let token: string;
let port: number;
let honest: WireDevcontainer;
let agents: number[];
/** Folders to be named in requests. */
const folders = { broken: '', empty: '', two: '', root: '' };

beforeAll(async () => {
  build = await buildDaemon();
  const root = dirname(await engine.makeFolder('root'));
  folders.root = root;
  folders.broken = await engine.copyFixture('broken-json');
  folders.empty = await engine.makeFolder('empty');
  folders.two = await engine.copyFixture('two-configurations');
  const stateDir = `${root}/state`;
  const args = ['--log-level', 'debug', root];
  daemon = await startDaemon({ main: build.main, dockerHost: engine.dockerHost, stateDir, args });
  token = (await readFile(`${stateDir}/token`, 'utf8')).trim();
  port = Number(new URL(daemon.url).port);
  const { devcontainer_id: id } = await daemon.create(await engine.copyFixture('image'));
  await daemon.until(id, 'running with its sub-agent', isInjected);
  honest = await daemon.get(`${API}/devcontainers/${id}`);
  agents = await subAgentsIn(engine, honest.container?.id ?? '');
});
afterAll(async () => {
  await daemon?.end('SIGTERM');
  await engine.cleanup();
  await build?.remove();
});

afterEach(async () => {
  // Nothing is lost: the same process shows the same thing over both ways in.
  expect(daemon.child.exitCode).toBeNull();
  expect(await daemon.get(`${API}/devcontainers/${honest.id}`)).toEqual(honest);
  const overTcp = await ask(port, { path: '/devcontainers', headers: { authorization: `Bearer ${token}` } });
  expect(overTcp.status).toBe(200);
  const { devcontainers } = overTcp.json as { devcontainers: WireDevcontainer[] };
  expect(devcontainers.find(({ id }) => id === honest.id)).toEqual(listed(honest));
});

/** What is long is told only by the entry itself. */
function listed(one: WireDevcontainer): WireDevcontainer {
  const { findings: _long, ...verdict } = one.verdict ?? { hash: '', finding_count: 0 };
  return { ...one, verdict };
}

const create = (body: string | Buffer, headers: Record<string, string> = JSON_TYPE): Ask => ({
  method: 'POST',
  path: `${API}/devcontainers`,
  headers,
  body,
});
const folder =
  (name: keyof typeof folders, more = {}) =>
  (): Ask =>
    create(JSON.stringify({ workspace_folder: folders[name], ...more }));

type Case = [what: string, request: Ask | (() => Ask), status: number, message: string];
const CASES: Case[] = [
  ['malformed JSON', create('{"workspace_folder":'), 400, 'Malformed JSON'],
  ['JSON that is no object', create('"x"'), 400, 'Malformed JSON'],
  ['an empty body', create(''), 400, 'Invalid request'],
  ['an unknown field', folder('root', { force: true }), 400, 'Invalid request'],
  ['a field of another type', create('{"workspace_folder":7}'), 400, 'Invalid request'],
  ['a relative folder', create('{"workspace_folder":"../x"}'), 400, 'Invalid request'],
  ['a folder with a NUL', create('{"workspace_folder":"/tmp/\\u0000x"}'), 400, 'Invalid request'],
  ['a folder that is not there', create('{"workspace_folder":"/no/such/folder"}'), 404, 'Workspace folder not found'],
  ['a folder that is a file', create('{"workspace_folder":"/etc/passwd"}'), 404, 'Workspace folder not found'],
  ['a folder without configuration', folder('empty'), 404, 'Devcontainer configuration not found'],
  ['a folder with several configurations', folder('two'), 409, 'Several devcontainer configurations found'],
  ['a broken configuration', folder('broken'), 400, 'Invalid devcontainer configuration'],
  [
    'another content type',
    create('a=b', { 'content-type': 'application/x-www-form-urlencoded' }),
    415,
    'Content type must be application/json',
  ],
  [
    'JSON in another charset',
    create('{}', { 'content-type': 'application/json; charset=utf-16' }),
    415,
    'Content type must be application/json',
  ],
  ['no content type', create('{}', {}), 415, 'Content type must be application/json'],
  ['an oversized body', create(Buffer.alloc(1024 * 1024 + 1, 0x20)), 413, 'Request body too large'],
  [
    'an oversized body in chunks',
    create(Buffer.alloc(1024 * 1024 + 1, 0x20), { ...JSON_TYPE, 'transfer-encoding': 'chunked' }),
    413,
    'Request body too large',
  ],
  ['an unknown id', { path: `${API}/devcontainers/nope` }, 404, 'Devcontainer not found.'],
  ['an id with a broken escape', { path: `${API}/devcontainers/%zz` }, 400, 'Malformed URL'],
  [
    'recreate of an unknown id',
    { method: 'POST', path: `${API}/devcontainers/nope/recreate` },
    404,
    'Devcontainer not found.',
  ],
  ['stop of an unknown id', { method: 'POST', path: `${API}/devcontainers/nope/stop` }, 404, 'Devcontainer not found.'],
  [
    'stop of what can be no id',
    { method: 'POST', path: `${API}/devcontainers/my.app/stop` },
    404,
    'Devcontainer not found.',
  ],
  ['logs of what can be no id', { path: `${API}/devcontainers/my.app/logs` }, 404, 'Devcontainer not found.'],
  ['delete of an unknown id', { method: 'DELETE', path: `${API}/devcontainers/nope` }, 404, 'Devcontainer not found.'],
  ['an unknown operation', { path: `${API}/operations/nope` }, 404, 'Operation not found.'],
  [
    'recreate of an unknown container',
    { method: 'POST', path: `${API}/devcontainers/container/nope/recreate` },
    404,
    'Container not found',
  ],
  ['a wrong method', { method: 'PUT', path: `${API}/devcontainers` }, 405, 'Method not allowed'],
  ['GET of an action', { path: `${API}/devcontainers/nope/recreate` }, 405, 'Method not allowed'],
  ['an unknown route', { path: `${API}/nowhere` }, 404, 'Route not found'],
  ['an unknown query', { path: `${API}?labels=x` }, 400, 'Invalid request'],
  ['a foreign Origin', { path: API, headers: { origin: 'http://evil.example' } }, 403, 'Origin not allowed'],
  ['the null Origin', { path: API, headers: { origin: 'null' } }, 403, 'Origin not allowed'],
  ['a cross-site fetch', { path: API, headers: { 'sec-fetch-site': 'cross-site' } }, 403, 'Cross-site request refused'],
];

describe.each(['TCP', 'socket'] as const)('over %s', (way) => {
  it.each(CASES)('%s', async (_what, given, status, message) => {
    const request = typeof given === 'function' ? given() : given;
    const headers = way === 'TCP' ? { authorization: `Bearer ${token}`, ...request.headers } : { ...request.headers };
    const answer = await ask(way === 'TCP' ? port : daemon.socket, { ...request, headers });
    expect([answer.status, answer.json]).toEqual([status, expect.objectContaining({ message })]);
    const { detail, validations } = answer.json as {
      detail?: string;
      validations?: { field: string; detail: string }[];
    };
    if (message === 'Invalid request') expect(validations?.[0]).toMatchObject({ field: expect.any(String) });
    if (status === 405) expect(answer.headers.allow).toBeTruthy();
    if (status === 409) expect(answer.json).toMatchObject({ config_paths: [expect.any(String), expect.any(String)] });
    if (message.startsWith('Invalid devcontainer')) expect(detail).toMatch(/devcontainer\.json:\d+:\d+: \w/);
    expect(answer.text).not.toMatch(/\bat (async )?\S+ \(|node_modules|\.js:\d/);
    expect(answer.headers['access-control-allow-origin']).toBeUndefined();
  });
});

describe('who may call', () => {
  const bearer = (): Record<string, string> => ({ authorization: `Bearer ${token}` });

  it.each([
    ['no token', () => ({}), 401, 'Missing or invalid token'],
    ['another token', () => ({ authorization: `Bearer ${'a'.repeat(43)}` }), 401, 'Missing or invalid token'],
    [
      'the token as a cookie',
      () => ({ cookie: `agentcontainers_session_${port}=${token}` }),
      401,
      'Missing or invalid token',
    ],
    ['a foreign Host', () => ({ ...bearer(), host: 'evil.example' }), 403, 'Host not allowed'],
    [
      'a Host that begins like ours',
      () => ({ ...bearer(), host: `localhost.evil.example:${port}` }),
      403,
      'Host not allowed',
    ],
  ] as const)('%s is refused over TCP, for requests and for WebSockets', async (_what, headers, status, message) => {
    for (const path of [API, '/devcontainers', '/api/openapi.json', '/']) {
      const answer = await ask(port, { path, headers: headers() });
      expect([path, answer.status, answer.json]).toEqual([path, status, expect.objectContaining({ message })]);
    }
    const socket = connect(`ws://127.0.0.1:${port}${API}/watch`, headers());
    await expect(socket).rejects.toMatchObject({ status, body: { message } });
  });

  it('the token is not taken from an address', async () => {
    expect((await ask(port, { path: `${API}?token=${token}` })).status).toBe(401);
  });

  it.each(['http://evil.example', 'null'])('a WebSocket from %s is refused over both ways in', async (origin) => {
    const refusal = { status: 403, body: { message: 'Origin not allowed' } };
    const tcp = connect(`ws://127.0.0.1:${port}${API}/watch`, { ...bearer(), origin });
    await expect(tcp).rejects.toMatchObject(refusal);
    const unix = connect(`ws+unix://${daemon.socket}:${API}/watch`, { origin });
    await expect(unix).rejects.toMatchObject(refusal);
  });

  it('an honest WebSocket is served after that', async () => {
    for (const [url, headers] of [
      [`ws://127.0.0.1:${port}${API}/watch`, bearer()],
      [`ws+unix://${daemon.socket}:${API}/watch`, {}],
    ] as const) {
      const socket = await connect(url, headers);
      const { devcontainers } = (await socket.frame(0)) as { devcontainers: WireDevcontainer[] };
      expect(devcontainers.find(({ id }) => id === honest.id)).toEqual(listed(honest));
      socket.ws.close();
      await socket.closed;
    }
  });

  it('any Host is taken on the socket, whose file decides', async () => {
    expect((await daemon.ask(API, { headers: { host: 'anything' } })).status).toBe(200);
  });
});

it('a program name that would wedge the engine is refused, and the longest one that is not does no harm', async () => {
  const exec = (argv: string[]) =>
    daemon.ask(`${API}/devcontainers/${honest.id}/exec`, {
      method: 'POST',
      headers: JSON_TYPE,
      body: JSON.stringify({ argv }),
    });
  const refused = await exec(['x'.repeat(200_000)]);
  expect(refused).toMatchObject({ status: 400, json: { validations: [{ field: 'argv.0' }] } });
  for (const name of ['x'.repeat(4096), '/'.repeat(4096), '\u20ac'.repeat(4096)]) {
    const { status, text } = await exec([name]);
    expect({ status, text: text.slice(0, 300) }).toMatchObject({
      status: expect.toBeOneOf([400, 409]),
      text: expect.stringMatching(/fail/i),
    });
  }
  expect((await exec(['echo', 'alive'])).text).toContain('alive');
  await eventually('not busy any more', async () => {
    const { busy } = await daemon.get<{ busy: boolean }>(`${API}/devcontainers/${honest.id}`);
    return !busy;
  });
});

it('the body of a request is not read to its end when it is too large', async () => {
  for (const target of [{ host: '127.0.0.1', port }, { path: daemon.socket }]) {
    const began = performance.now();
    const text = await new Promise<string>((resolve, reject) => {
      const socket = connectSocket(target);
      let seen = '';
      socket.on('data', (chunk: Buffer) => (seen += chunk.toString()));
      socket.on('error', reject).on('close', () => resolve(seen));
      // A length that is announced and never comes.
      socket.write(
        `POST ${API}/devcontainers HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${token}\r\nContent-Type: application/json\r\nContent-Length: 1000000000\r\n\r\n{`,
      );
    });
    expect(text).toMatch(/^HTTP\/1\.1 413 /);
    expect(performance.now() - began).toBeLessThan(5_000);
  }
});

it('connections that say nothing lock nobody out of TCP for long', async () => {
  const silent = await Promise.all(
    Array.from(
      { length: 1_100 },
      () =>
        new Promise<ReturnType<typeof connectSocket>>((resolve) => {
          const socket = connectSocket({ host: '127.0.0.1', port });
          socket.on('error', () => {}).on('connect', () => resolve(socket));
          socket.on('close', () => resolve(socket)).resume();
        }),
    ),
  );
  const headers = { authorization: `Bearer ${token}` };
  await eventually('an answer over TCP', async () => {
    const answer = await ask(port, { path: '/devcontainers', headers }).catch(() => undefined);
    return answer?.status === 200 ? true : undefined;
  });
  for (const socket of silent) socket.destroy();
});

it('bytes that are not HTTP, and requests that are cut off, do no harm', async () => {
  const whole = `POST ${API}/devcontainers HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${token}\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"workspace_folder"`;
  for (const bytes of ['\u0000\u0001\u0002\r\n\r\n', 'GET / HTTP/9.9\r\n\r\n', whole]) {
    for (const target of [{ host: '127.0.0.1', port }, { path: daemon.socket }]) {
      await new Promise<void>((resolve) => {
        const socket = connectSocket(target);
        socket.on('error', () => {}).on('close', () => resolve());
        socket.resume();
        socket.end(bytes);
      });
    }
  }
});

it('after all of it the daemon has logged no fault, and the same sub-agent runs', async () => {
  expect(daemon.output()).not.toMatch(/fault of agentcontainers|unexpectedly|Unhandled|Uncaught/);
  expect(daemon.output()).not.toContain(token);
  expect(await subAgentsIn(engine, honest.container?.id ?? '')).toEqual(agents);
});
