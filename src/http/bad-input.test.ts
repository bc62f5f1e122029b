import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect as connectSocket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { createFakeClock } from '../testing/fake-clock.ts';
import { AgentContainersError } from '../errors.ts';
import { createApp } from './app.ts';
import { listOf, listSource, receipt, scriptedApi } from './test-api.ts';
import type { Ask } from './test-server.ts';
import { ask, connect, listen } from './test-server.ts';

const TOKEN = 'a'.repeat(43);
const AUTH = { authorization: `Bearer ${TOKEN}` };
const JSON_HEADERS = { ...AUTH, 'content-type': 'application/json' };
const BASE = '/api/v0/containers';

async function serve() {
  const notFound = () =>
    Promise.reject(new AgentContainersError('devcontainer-not-found', 'Finding it failed: unknown id.'));
  const clock = createFakeClock();
  const source = listSource(listOf('web'));
  const app = createApp(
    scriptedApi({
      list: source.list,
      subscribe: source.subscribe,
      get: notFound,
      recreate: notFound,
      remove: notFound,
      create: async () => receipt(),
    }),
    {
      clock,
      token: TOKEN,
      allowedHosts: ['Box.example:8443'],
      allowedOrigins: ['https://ide.example'],
    },
  );
  const server = app.createServer({ trust: 'token' });
  const port = await listen(server);
  onTestFinished(() => app.close());
  return { app, clock, port, server };
}

type Case = [name: string, request: Ask, status: number, message: string | undefined];

const create = (headers: Record<string, string>, body: string | Buffer): Ask => ({
  method: 'POST',
  path: `${BASE}/devcontainers`,
  headers,
  body,
});
const get = (headers: Record<string, string>, path = BASE): Ask => ({ path, headers });

const FILE = { ...AUTH, 'content-type': 'application/octet-stream' };
const upload = (headers: Record<string, string>): Ask => ({
  method: 'PUT',
  path: `${BASE}/devcontainers/x/files/content?path=a`,
  headers,
  body: 'abc',
});

const CASES: Case[] = [
  // Bodies.
  ['malformed JSON', create(JSON_HEADERS, '{"workspace_folder":'), 400, 'Malformed JSON'],
  ['a JSON scalar', create(JSON_HEADERS, '7'), 400, 'Malformed JSON'],
  ['an unknown field', create(JSON_HEADERS, '{"workspace_folder":"/a","x":1}'), 400, 'Invalid request'],
  [
    'a wrong content type',
    create({ ...AUTH, 'content-type': 'text/plain' }, '{"workspace_folder":"/a"}'),
    415,
    'Content type must be application/json',
  ],
  [
    'a form',
    create({ ...AUTH, 'content-type': 'application/x-www-form-urlencoded' }, 'a=b'),
    415,
    'Content type must be application/json',
  ],
  ['no content type', create(AUTH, '{"workspace_folder":"/a"}'), 415, 'Content type must be application/json'],
  [
    'a type that only begins like JSON',
    create({ ...AUTH, 'content-type': 'application/json-seq' }, '{}'),
    415,
    'Content type must be application/json',
  ],
  [
    'a compressed body',
    create({ ...JSON_HEADERS, 'content-encoding': 'gzip' }, 'x'),
    415,
    'Content type must be application/json',
  ],
  [
    'another charset',
    create({ ...AUTH, 'content-type': 'application/json; charset=latin1' }, '{}'),
    415,
    'Content type must be application/json',
  ],
  [
    'UTF-16',
    create({ ...AUTH, 'content-type': 'application/json; charset=utf-16' }, Buffer.from('{}', 'utf16le')),
    415,
    'Content type must be application/json',
  ],
  ['bytes that are not UTF-8', create(JSON_HEADERS, Buffer.from([0x7b, 0xff, 0x7d])), 400, 'Malformed JSON'],
  ['an oversized body', create(JSON_HEADERS, Buffer.alloc(1024 * 1024 + 1, 0x20)), 413, 'Request body too large'],
  [
    'an oversized body in chunks',
    create({ ...JSON_HEADERS, 'transfer-encoding': 'chunked' }, Buffer.alloc(1024 * 1024 + 1, 0x20)),
    413,
    'Request body too large',
  ],
  [
    'a wrong content type on DELETE',
    {
      method: 'DELETE',
      path: `${BASE}/devcontainers/x`,
      headers: { ...AUTH, 'content-type': 'text/plain' },
      body: 'x',
    },
    415,
    'Content type must be application/json',
  ],
  [
    'a body that is just small enough',
    create(JSON_HEADERS, `{"workspace_folder":"/a"}${' '.repeat(1024 * 1024 - 25)}`),
    202,
    'Devcontainer creation initiated',
  ],
  [
    'JSON with a charset',
    create({ ...AUTH, 'content-type': 'Application/JSON ; x=y; charset="UTF-8"' }, '{"workspace_folder":"/a"}'),
    202,
    'Devcontainer creation initiated',
  ],

  // Files, which alone may be something else than JSON.
  ['a file from a foreign Origin', upload({ ...FILE, origin: 'http://evil.example' }), 403, 'Origin not allowed'],
  ['a file from the null Origin', upload({ ...FILE, origin: 'null' }), 403, 'Origin not allowed'],
  ['a file from another site', upload({ ...FILE, 'sec-fetch-site': 'cross-site' }), 403, 'Cross-site request refused'],
  ['a file under a foreign Host', upload({ ...FILE, host: 'evil.example' }), 403, 'Host not allowed'],
  ['a file without a token', upload({ 'content-type': 'application/octet-stream' }), 401, 'Missing or invalid token'],
  [
    'a form in the place of a file',
    upload({ ...AUTH, 'content-type': 'application/x-www-form-urlencoded' }),
    415,
    'Content type must be application/octet-stream',
  ],
  ['a question whether a file may be sent', { ...upload(AUTH), method: 'OPTIONS' }, 405, 'Method not allowed'],
  ['a file with POST', { ...upload(FILE), method: 'POST' }, 405, 'Method not allowed'],

  // Addresses.
  ['an unknown id', get(AUTH, `${BASE}/devcontainers/nope`), 404, 'Devcontainer not found.'],
  ['an unknown id, through the alias', get(AUTH, '/devcontainers/nope'), 404, 'Devcontainer not found.'],
  [
    'recreate of an unknown id',
    { method: 'POST', path: `${BASE}/devcontainers/nope/recreate`, headers: AUTH },
    404,
    'Devcontainer not found.',
  ],
  ['a very long id', get(AUTH, `${BASE}/devcontainers/${'x'.repeat(8000)}`), 404, 'Devcontainer not found.'],
  ['an id with a broken escape', get(AUTH, `${BASE}/devcontainers/%zz`), 400, 'Malformed URL'],
  ['an unknown route below the mount', get(AUTH, `${BASE}/nowhere`), 404, 'Route not found'],
  ['an unknown route', get(AUTH, '/nowhere'), 404, 'Route not found'],
  ['an unknown query parameter', get(AUTH, `${BASE}?labels=x`), 400, 'Invalid request'],
  ['a wrong method', { method: 'PUT', path: `${BASE}/devcontainers`, headers: AUTH }, 405, 'Method not allowed'],
  ['GET of an action', get(AUTH, `${BASE}/devcontainers/x/recreate`), 405, 'Method not allowed'],
  ['POST of the document', { method: 'POST', path: '/api/openapi.json', headers: AUTH }, 405, 'Method not allowed'],
  ['OPTIONS', { method: 'OPTIONS', path: BASE, headers: AUTH }, 405, 'Method not allowed'],

  // Names of the server.
  ['a foreign Host', get({ ...AUTH, host: 'evil.example' }), 403, 'Host not allowed'],
  ['a foreign Host with our port', get({ ...AUTH, host: 'evil.example:7420' }), 403, 'Host not allowed'],
  ['a Host that begins like ours', get({ ...AUTH, host: 'localhost.evil.example' }), 403, 'Host not allowed'],
  ['a Host that ends like an address', get({ ...AUTH, host: '127.0.0.1.evil.example' }), 403, 'Host not allowed'],
  ['an unspecified address as Host', get({ ...AUTH, host: '0.0.0.0' }), 403, 'Host not allowed'],
  ['a Host with userinfo', get({ ...AUTH, host: 'localhost@evil.example' }), 403, 'Host not allowed'],
  ['an allowed Host on another port', get({ ...AUTH, host: 'box.example:1' }), 403, 'Host not allowed'],
  ['an allowed Host', get({ ...AUTH, host: 'BOX.example:8443' }), 200, undefined],
  ['localhost', get({ ...AUTH, host: 'LocalHost.:1' }), 200, undefined],
  ['a name under localhost', get({ ...AUTH, host: 'agentcontainers.localhost:7420' }), 200, undefined],
  ['IPv6 loopback', get({ ...AUTH, host: '[::1]:7420' }), 200, undefined],

  // Pages of others.
  ['a foreign Origin', get({ ...AUTH, origin: 'http://evil.example' }), 403, 'Origin not allowed'],
  ['the null Origin', get({ ...AUTH, origin: 'null' }), 403, 'Origin not allowed'],
  [
    'another port of this machine as Origin',
    get({ ...AUTH, host: 'localhost:7420', origin: 'http://localhost:3000' }),
    403,
    'Origin not allowed',
  ],
  [
    'an Origin that begins like ours',
    get({ ...AUTH, host: 'localhost:7420', origin: 'http://localhost:7420.evil.example' }),
    403,
    'Origin not allowed',
  ],
  [
    'an Origin of an extension',
    get({ ...AUTH, host: 'localhost', origin: 'chrome-extension://localhost' }),
    403,
    'Origin not allowed',
  ],
  ['our own Origin', get({ ...AUTH, host: 'localhost:80', origin: 'http://localhost' }), 200, undefined],
  [
    'an allowed Origin',
    get({ ...AUTH, origin: 'https://ide.example', 'sec-fetch-site': 'cross-site' }),
    200,
    undefined,
  ],
  [
    'a cross-site fetch without Origin',
    get({ ...AUTH, 'sec-fetch-site': 'cross-site' }),
    403,
    'Cross-site request refused',
  ],
  [
    'a same-site fetch, as from another port',
    get({ ...AUTH, 'sec-fetch-site': 'same-site' }),
    403,
    'Cross-site request refused',
  ],
  [
    'a cross-site navigation to the API',
    get({ ...AUTH, 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' }),
    403,
    'Cross-site request refused',
  ],
  [
    'the start page in a foreign frame',
    get({ ...AUTH, 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'iframe' }, '/'),
    403,
    'Cross-site request refused',
  ],
  ['a same-origin fetch', get({ ...AUTH, 'sec-fetch-site': 'same-origin' }), 200, undefined],

  // Callers.
  ['no token', get({}), 401, 'Missing or invalid token'],
  ['no token, through the alias', get({}, '/devcontainers'), 401, 'Missing or invalid token'],
  ['no token for the document', get({}, '/api/openapi.json'), 401, 'Missing or invalid token'],
  ['no token for an unknown route', get({}, '/nowhere'), 401, 'Missing or invalid token'],
  ['a wrong token', get({ authorization: `Bearer ${'b'.repeat(43)}` }), 401, 'Missing or invalid token'],
  ['a part of the token', get({ authorization: `Bearer ${TOKEN.slice(1)}` }), 401, 'Missing or invalid token'],
  ['an empty token', get({ authorization: 'Bearer ' }), 401, 'Missing or invalid token'],
  ['another scheme', get({ authorization: `Basic ${TOKEN}` }), 401, 'Missing or invalid token'],
  ['the token in the URL', get({}, `${BASE}?token=${TOKEN}`), 401, 'Missing or invalid token'],
  ['the token as the cookie', get({ cookie: `agentcontainers_session=${TOKEN}` }), 401, 'Missing or invalid token'],
  ['a made-up login code', get({}, '/login?code=x'), 401, 'Invalid or used login code'],
];

test.each(CASES)('%s is answered as documented', async (_name, what, status, message) => {
  const { port } = await serve();
  const answer = await ask(port, what);
  expect([answer.status, (answer.json as { message?: string }).message]).toEqual([status, message]);
  if (status === 401 && message === 'Missing or invalid token')
    expect(answer.headers['www-authenticate']).toMatch(/^Bearer/);
  if (status === 405) expect(answer.headers.allow).toBeTruthy();
  expect(answer.headers['access-control-allow-origin']).toBeUndefined();
  // Nothing was lost: the next honest request is served.
  expect((await ask(port, get(AUTH))).status).toBe(200);
});

test.each<[string, string, Record<string, string>, number, string]>([
  ['from a foreign origin', `${BASE}/watch`, { ...AUTH, origin: 'http://evil.example' }, 403, 'Origin not allowed'],
  ['from the null origin', `${BASE}/watch`, { ...AUTH, origin: 'null' }, 403, 'Origin not allowed'],
  ['under a foreign host', `${BASE}/watch`, { ...AUTH, host: 'evil.example' }, 403, 'Host not allowed'],
  ['without a token', `${BASE}/watch`, {}, 401, 'Missing or invalid token'],
  ['from another site', `${BASE}/watch`, { ...AUTH, 'sec-fetch-site': 'same-site' }, 403, 'Cross-site request refused'],
  ['to another address', `${BASE}/devcontainers`, AUTH, 404, 'Route not found'],
  ['to another address without a token', '/watch', {}, 401, 'Missing or invalid token'],
])('a WebSocket %s is refused as documented', async (_name, path, headers, status, message) => {
  const { port } = await serve();
  await expect(connect(`ws://127.0.0.1:${port}${path}`, headers)).rejects.toMatchObject({ status, body: { message } });
  expect((await ask(port, get(AUTH))).status).toBe(200);
});

test.each([
  ['a key that is none', 'Sec-WebSocket-Key: x\r\nSec-WebSocket-Version: 13\r\n', 'websocket'],
  ['an unknown version', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 99\r\n', 'websocket'],
  ['another protocol', '', 'h2c'],
])('an upgrade with %s is refused and the server lives on', async (_name, headers, protocol) => {
  const { port } = await serve();
  const socket = connectSocket(port, '127.0.0.1');
  let text = '';
  socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
  const closed = new Promise((resolve) => socket.on('close', resolve));
  socket.write(
    `GET ${BASE}/watch HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${TOKEN}\r\nConnection: Upgrade\r\nUpgrade: ${protocol}\r\n${headers}\r\n`,
  );
  await closed;
  expect(text).toMatch(/^HTTP\/1\.1 500 /);
  expect(text).toContain('Failed to upgrade connection to websocket.');
  expect((await ask(port, get(AUTH))).status).toBe(200);
});

test.each([
  ['announced by its length', `Content-Length: ${1 << 30}`, 'x'],
  ['in chunks', 'Transfer-Encoding: chunked', `100001\r\n${' '.repeat(0x100001)}\r\n`],
])('an oversized body %s is refused before its end, and its connection closed', async (_name, framing, begin) => {
  const { port, clock, server } = await serve();
  // A client that goes on: it does not end its side when the server ends the other.
  const socket = connectSocket({ port, host: '127.0.0.1', allowHalfOpen: true });
  onTestFinished(() => void socket.destroy());
  let text = '';
  socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
  const answered = once(socket, 'end');
  socket.write(
    `POST ${BASE}/devcontainers HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${TOKEN}\r\nContent-Type: application/json\r\n${framing}\r\n\r\n${begin}`,
  );
  await answered;
  expect(text).toMatch(/^HTTP\/1\.1 413 /);
  expect(text.toLowerCase()).toContain('connection: close');
  expect(text).toContain('At most 1048576 bytes.');
  const connections = () => new Promise((resolve) => server.getConnections((_error, count) => resolve(count)));
  expect(await connections()).toBe(1);
  await clock.run(2000);
  await expect.poll(connections).toBe(0);
  expect(clock.pending()).toEqual([]);
});

test('each wrong field is told in words for people', async () => {
  const { port } = await serve();
  const details = async (path: string, body: object): Promise<unknown> => {
    const answer = await ask(port, {
      method: 'POST',
      path: `${BASE}${path}`,
      headers: JSON_HEADERS,
      body: JSON.stringify(body),
    });
    expect(answer.status).toBe(400);
    return (answer.json as { validations: unknown }).validations;
  };
  expect(await details('/devcontainers', { config_path: 7 })).toEqual([
    { field: 'workspace_folder', detail: 'Is missing; give a text.' },
    { field: 'config_path', detail: 'Must be a text.' },
  ]);
  expect(await details('/devcontainers', { workspace_folder: '' })).toEqual([
    { field: 'workspace_folder', detail: 'Must not be empty.' },
    { field: 'workspace_folder', detail: 'Must be an absolute path.' },
  ]);
  expect(await details('/devcontainers/x/exec', { argv: [] })).toEqual([
    { field: 'argv', detail: 'Must not be empty.' },
  ]);
  expect(await details('/devcontainers/x/exec', { argv: ['a'], user: 'u'.repeat(300), env: { 'A=B': '' } })).toEqual([
    { field: 'env.A=B', detail: 'Must be a name without `=`.' },
    { field: 'user', detail: 'Must have at most 256 characters.' },
  ]);
  expect(await details('/devcontainers/x/exec', { argv: 'ls', timeout_ms: 1.5 })).toEqual([
    { field: 'argv', detail: 'Must be a list.' },
    { field: 'timeout_ms', detail: 'Must be a whole number.' },
  ]);
  expect(await details('/devcontainers/x/exec', { argv: ['a'], timeout_ms: 0, stdin_encoding: 'utf-16' })).toEqual([
    { field: 'stdin_encoding', detail: 'Must be one of: utf-8, base64.' },
    { field: 'timeout_ms', detail: 'Must be at least 1.' },
  ]);
  const query = await ask(port, { path: `${BASE}/devcontainers/x/logs?follow=maybe&offset=-1`, headers: AUTH });
  expect(query.json).toMatchObject({
    validations: [
      { field: 'follow', detail: 'Must be one of: 0, 1, true, false.' },
      { field: 'offset', detail: 'Must be at least 0.' },
    ],
  });
});

test('a connection that says nothing is closed within seconds, so that silence locks nobody out', async () => {
  const { server } = await serve();
  expect(server.headersTimeout).toBeLessThanOrEqual(5_000);
  expect((server as unknown as { connectionsCheckingInterval: number }).connectionsCheckingInterval).toBe(1_000);
});

test('bytes that are not HTTP do no harm', async () => {
  const { port } = await serve();
  const socket = connectSocket(port, '127.0.0.1');
  const closed = new Promise((resolve) => socket.on('close', resolve));
  socket.on('error', () => {});
  socket.write(Buffer.from('\u0000\u0001\u0002GET\r\n\r\n'));
  socket.resume();
  await closed;
  expect((await ask(port, get(AUTH))).status).toBe(200);
});

test('on a Unix socket the file decides: no token, any host, but no foreign page', async () => {
  const { app } = await serve();
  const directory = mkdtempSync(join(tmpdir(), 'http-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const path = join(directory, 'api.sock');
  await listen(app.createServer({ trust: 'socket' }), path);
  expect((await ask(path, { path: BASE, headers: { host: 'anything' } })).status).toBe(200);
  expect((await ask(path, { path: BASE, headers: { origin: 'http://evil.example' } })).status).toBe(403);
  expect(await ask(path, create({ 'content-type': 'text/plain' }, 'x'))).toMatchObject({ status: 415 });
  const socket = await connect(`ws+unix://${path}:${BASE}/watch`);
  expect(await socket.frame(0)).toMatchObject({ devcontainers: [{ name: 'web' }] });
});
