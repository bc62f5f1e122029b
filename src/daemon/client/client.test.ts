import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type RequestListener, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { exitCodeOf } from '../exit-codes.ts';
import { createDaemonClient } from './client.ts';

let directory: string;
let socket: string;
let server: Server | undefined;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'ac-client-'));
  socket = join(directory, 's');
});
afterEach(async () => {
  await new Promise((resolve) => (server === undefined ? resolve(undefined) : server.close(resolve)));
  server = undefined;
  await rm(directory, { recursive: true });
});
async function serve(listener: RequestListener): Promise<void> {
  server = createServer(listener);
  await new Promise<void>((resolve) => server?.listen(socket, resolve));
}
const answer =
  (status: number, body: unknown): RequestListener =>
  (_req, res) => {
    res.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  };

test('a request carries JSON, and the answer is parsed', async () => {
  let seen = '';
  await serve((req, res) => {
    req.on('data', (chunk: Buffer) => (seen += chunk.toString()));
    req.on('end', () => res.end(JSON.stringify({ url: req.url, type: req.headers['content-type'] })));
  });
  const client = createDaemonClient(socket);
  expect(await client.answers()).toBe(true);
  expect(await client.send({ method: 'POST', path: '/x?y=1', body: { a: 'ä' } })).toEqual({
    status: 200,
    body: { url: '/api/v0/containers/x?y=1', type: 'application/json' },
  });
  expect(seen).toBe('{"a":"ä"}');
});

test.each([
  [404, { message: 'Devcontainer not found.' }, 'devcontainer-not-found', 3],
  [404, { message: 'Workspace folder not found', code: 'folder-not-found' }, 'folder-not-found', 3],
  [409, { message: 'Devcontainer is busy' }, 'devcontainer-busy', 4],
  [400, { message: 'Invalid request' }, 'invalid-request', 2],
  [500, { message: 'Could not get containers', code: 'list-failed' }, 'list-failed', 5],
  [502, { message: 'Container engine is not reachable', code: 'engine-unreachable' }, 'engine-unreachable', 5],
  [500, { message: 'anything', code: 'up-failed' }, 'up-failed', 1],
  [500, 'no object', 'engine-request-failed', 1],
])('status %i with %j becomes a typed error', async (status, body, code, exitCode) => {
  await serve(answer(status, body));
  const error: unknown = await createDaemonClient(socket)
    .send({ method: 'GET', path: '/' })
    .catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code });
  expect(exitCodeOf(error)).toBe(exitCode);
});

test('validations and configurations to choose from are part of the detail', async () => {
  await serve(
    answer(409, {
      message: 'Several devcontainer configurations found',
      validations: [{ field: 'a', detail: 'is wrong' }],
      config_paths: ['/w/a.json', '/w/b.json'],
    }),
  );
  await expect(createDaemonClient(socket).stream({ method: 'GET', path: '/' })).rejects.toMatchObject({
    details: { detail: 'a: is wrong. Choose one with --config: /w/a.json, /w/b.json' },
  });
});

const FINDING = { kind: 'mount', detail: '/', source: 'devcontainer.json' };
const HOLDER = { id: 'h', kind: 'exec', description: 'npm', since: '2025-01-31T12:00:00.000Z' };
test.each([
  ['findings and their hash', { findings: [FINDING], hash: 'h' }, { findings: [FINDING], hash: 'h' }],
  ['holders', { holders: [HOLDER] }, { holders: [HOLDER] }],
  ['findings one of which is none', { findings: [FINDING, { kind: 'mount' }] }, {}],
  ['what is none of it', { findings: 'x', hash: 7, holders: [null] }, {}],
])('%s of a refusal are kept as they are', async (_name, fields, expected) => {
  await serve(answer(403, { message: 'Devcontainer is not trusted', code: 'devcontainer-not-trusted', ...fields }));
  const client = createDaemonClient(socket);
  await expect(client.send({ method: 'POST', path: '/' })).rejects.toMatchObject({
    code: 'devcontainer-not-trusted',
    details: expect.toSatisfy((details: object) =>
      isDeepStrictEqual({ ...details }, { status: 403, ...expected }),
    ) as unknown,
  });
});

test('without a daemon the error says how to start one', async () => {
  const client = createDaemonClient(socket);
  expect(await client.answers()).toBe(false);
  await expect(client.send({ method: 'GET', path: '/' })).rejects.toMatchObject({
    code: 'daemon-unreachable',
    details: { detail: expect.stringContaining('agentcontainers serve') },
  });
});

test('a daemon that dies in the middle of an answer is an error, not a short answer', async () => {
  await serve((_req, res) => {
    res.writeHead(200, { 'content-length': '100' });
    res.write('{"a":');
    setImmediate(() => res.destroy());
  });
  await expect(createDaemonClient(socket).send({ method: 'GET', path: '/' })).rejects.toMatchObject({
    code: 'daemon-unreachable',
  });
});

test('something else on the socket is recognised', async () => {
  await serve((_req, res) => res.end('<html>'));
  await expect(createDaemonClient(socket).send({ method: 'GET', path: '/' })).rejects.toThrow(
    'Is another program listening',
  );
});
