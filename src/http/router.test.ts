import { request } from 'node:http';
import { expect, test } from 'vitest';
import type { AgentContainers } from '../agentcontainers/api.ts';
import { createDeferred } from '../async/deferred.ts';
import { AgentContainersError } from '../errors.ts';
import type { ErrorCode } from '../errors.ts';
import { createFakeClock } from '../testing/fake-clock.ts';
import { createRouter } from './router.ts';
import { devcontainer, listOf, operation, receipt, scriptedApi, T0 } from './test-api.ts';
import { ask, mount } from './test-server.ts';
import type { Ask } from './test-server.ts';
import * as wire from './wire-schemas.ts';

const JSON_HEADERS = { 'content-type': 'application/json' };

async function serve(script: Partial<AgentContainers> = {}) {
  const router = createRouter(scriptedApi(script), { clock: createFakeClock() });
  const port = await mount(router);
  const call = (what: Ask) => ask(port, { ...what, path: `/mnt${what.path ?? '/'}` });
  return { router, call, port };
}

const fail =
  (code: ErrorCode, details = {}) =>
  () =>
    Promise.reject(new AgentContainersError(code, `Doing it failed: ${code}.`, { details }));

test('the list passes all labels on, and leaves warnings out when there are none', async () => {
  const queries: unknown[] = [];
  const { call } = await serve({
    list: async (query) => {
      queries.push(query);
      return { ...listOf('web'), warnings: query?.labels ? ['two of them'] : [] };
    },
  });
  const plain = await call({ path: '' });
  expect(plain.status).toBe(200);
  expect(plain.json).not.toHaveProperty('warnings');
  const filtered = await call({ path: '/?label=a=b&label=c%3Dd%26e' });
  expect(filtered.json).toMatchObject({ warnings: ['two of them'] });
  expect(queries).toEqual([{}, { labels: ['a=b', 'c=d&e'] }]);
});

test('devcontainers, one devcontainer and an operation are answered in wire form', async () => {
  const { call } = await serve({
    list: async () => listOf('web'),
    get: async (id) => devcontainer({ id }),
    operation: async (id) => operation({ id, status: 'failed', endedAt: T0 + 1500, error: 'no space' }),
  });
  const all = await call({ path: '/devcontainers' });
  expect(Object.keys(all.json as object)).toEqual(['devcontainers']);
  wire.wireDevcontainers.parse(all.json);
  expect(wire.wireDevcontainer.parse((await call({ path: '/devcontainers/dc-9' })).json).id).toBe('dc-9');
  expect((await call({ path: '/operations/op-9' })).json).toEqual({
    id: 'op-9',
    devcontainer_id: 'dc-1',
    kind: 'recreate',
    status: 'failed',
    phase: 'build',
    started_at: '2025-01-31T12:00:00.000Z',
    ended_at: '2025-01-31T12:00:01.500Z',
    error: 'no space',
    log_offset: 7,
    steps: [],
  });
});

test.each([
  ['/devcontainers/dc-1/recreate', 'recreate', 'Devcontainer recreation initiated'],
  ['/devcontainers/dc-1/start', 'startDevcontainer', 'Devcontainer start initiated'],
  ['/devcontainers/dc-1/stop', 'stopDevcontainer', 'Devcontainer stop initiated'],
  ['/devcontainers/dc-1/restart', 'restartDevcontainer', 'Devcontainer restart initiated'],
  ['/devcontainers/container/dc-1/recreate', 'recreateByContainer', 'Devcontainer recreation initiated'],
] as const)('POST %s is accepted with the operation id', async (path, method, message) => {
  const ids: string[] = [];
  const { call } = await serve({
    [method]: async (id: string) => {
      ids.push(id);
      return receipt();
    },
  });
  expect(await call({ method: 'POST', path })).toMatchObject({
    status: 202,
    json: { message, operation_id: 'op-1', devcontainer_id: 'dc-1' },
  });
  // An empty object is no more than no body.
  expect((await call({ method: 'POST', path, headers: JSON_HEADERS, body: '{}' })).status).toBe(202);
  expect(ids).toEqual(['dc-1', 'dc-1']);
});

test('nothing to do is 200', async () => {
  const { call } = await serve({ stopDevcontainer: async () => receipt(false, { id: 'op-7' }) });
  expect(await call({ method: 'POST', path: '/devcontainers/dc-1/stop' })).toMatchObject({
    status: 200,
    json: { message: 'Nothing to do', operation_id: 'op-7' },
  });
});

test('POST /devcontainers brings a folder up', async () => {
  const requests: unknown[] = [];
  const { call } = await serve({
    create: async (given) => {
      requests.push(given);
      return receipt(true, { kind: 'create' });
    },
  });
  const body = JSON.stringify({ workspace_folder: '/src/web', config_path: '.devcontainer/a/devcontainer.json' });
  expect(await call({ method: 'POST', path: '/devcontainers', headers: JSON_HEADERS, body })).toMatchObject({
    status: 202,
    json: { message: 'Devcontainer creation initiated', operation_id: 'op-1' },
  });
  expect(requests).toEqual([{ workspaceFolder: '/src/web', configPath: '.devcontainer/a/devcontainer.json' }]);
});

test.each([
  ['{}', ['workspace_folder']],
  ['{"workspace_folder":"relative"}', ['workspace_folder']],
  ['{"workspace_folder":7}', ['workspace_folder']],
  ['{"workspace_folder":"/a\\u0000b"}', ['workspace_folder']],
  ['{"workspace_folder":"/a","force":true,"x":1}', ['force', 'x']],
  ['{"workspace_folder":"/a","__proto__":{"y":1}}', ['__proto__']],
  ['[]', ['body']],
])('POST /devcontainers with %s names the fields that are wrong', async (body, fields) => {
  const { call } = await serve();
  const answer = await call({ method: 'POST', path: '/devcontainers', headers: JSON_HEADERS, body });
  expect(answer).toMatchObject({ status: 400, json: { message: 'Invalid request' } });
  expect(wire.wireError.parse(answer.json).validations?.map((one) => one.field)).toEqual(fields);
});

test('several configurations and none named: 409 with the list', async () => {
  const { call } = await serve({ create: fail('config-ambiguous', { configPaths: ['/a/1.json', '/a/2.json'] }) });
  const body = '{"workspace_folder":"/a"}';
  expect(await call({ method: 'POST', path: '/devcontainers', headers: JSON_HEADERS, body })).toMatchObject({
    status: 409,
    json: { config_paths: ['/a/1.json', '/a/2.json'] },
  });
});

test('delete answers 204 without a body', async () => {
  const calls: unknown[] = [];
  const { call } = await serve({
    remove: async (id, options) => {
      calls.push([id, options]);
    },
  });
  expect(await call({ method: 'DELETE', path: '/devcontainers/dc-1' })).toMatchObject({ status: 204, text: '' });
  await call({ method: 'DELETE', path: '/devcontainers/dc-1?volumes=named&dry_run=false' });
  expect(calls).toEqual([
    ['dc-1', {}],
    ['dc-1', { volumes: 'named' }],
  ]);
});

// Statuses and messages that clients rely on, to the letter.
test.each<[string, string, keyof AgentContainers, ErrorCode, number, string]>([
  ['GET', '/', 'list', 'list-failed', 500, 'Could not get containers'],
  ['GET', '/devcontainers', 'list', 'list-failed', 500, 'Could not list containers'],
  ['GET', '/', 'list', 'api-closed', 503, 'API closed'],
  ['GET', '/devcontainers/x', 'get', 'devcontainer-not-found', 404, 'Devcontainer not found.'],
  ['POST', '/devcontainers/x/recreate', 'recreate', 'devcontainer-not-found', 404, 'Devcontainer not found.'],
  [
    'POST',
    '/devcontainers/x/recreate',
    'recreate',
    'devcontainer-transitioning',
    409,
    'Unable to recreate transitioning devcontainer',
  ],
  ['POST', '/devcontainers/x/recreate', 'recreate', 'devcontainer-busy', 409, 'Devcontainer is busy'],
  [
    'POST',
    '/devcontainers/container/x/recreate',
    'recreateByContainer',
    'container-not-found',
    404,
    'Container not found',
  ],
  [
    'POST',
    '/devcontainers/container/x/recreate',
    'recreateByContainer',
    'workspace-folder-label-missing',
    400,
    'Missing workspace folder label',
  ],
  [
    'POST',
    '/devcontainers/container/x/recreate',
    'recreateByContainer',
    'recreation-in-progress',
    409,
    'Devcontainer recreation already in progress',
  ],
  ['DELETE', '/devcontainers/x', 'remove', 'devcontainer-not-found', 404, 'Devcontainer not found.'],
  [
    'DELETE',
    '/devcontainers/x',
    'remove',
    'devcontainer-transitioning',
    409,
    'Unable to delete transitioning devcontainer',
  ],
  ['DELETE', '/devcontainers/x', 'remove', 'stop-failed', 500, 'An error occurred stopping the container'],
  ['DELETE', '/devcontainers/x', 'remove', 'remove-failed', 500, 'An error occurred removing the container'],
  ['DELETE', '/devcontainers/x', 'remove', 'sub-agent-delete-failed', 500, 'An error occurred deleting the agent'],
])('%s %s, when %s fails with %s, answers %i "%s"', async (method, path, name, code, status, message) => {
  const { call } = await serve({ [name]: fail(code) });
  expect(await call({ method, path })).toMatchObject({
    status,
    json: { message, detail: `Doing it failed: ${code}.` },
  });
});

test('the detail of a transitioning devcontainer is shown', async () => {
  const detail = 'Devcontainer "web" is currently starting and cannot be restarted.';
  const { call } = await serve({ recreate: fail('devcontainer-transitioning', { detail }) });
  expect((await call({ method: 'POST', path: '/devcontainers/x/recreate' })).json).toEqual({
    message: 'Unable to recreate transitioning devcontainer',
    code: 'devcontainer-transitioning',
    detail,
  });
});

test.each(['/devcontainers//recreate', '/devcontainers/%20/recreate', '/devcontainers/container//recreate'])(
  'POST %s lacks an id',
  async (path) => {
    const { call } = await serve();
    expect(await call({ method: 'POST', path })).toMatchObject({
      status: 400,
      json: { message: 'Missing devcontainer ID' },
    });
  },
);

test('HEAD of a stream is refused with what its path has', async () => {
  const { call } = await serve();
  const answer = await call({ method: 'HEAD', path: '/devcontainers/x/files/content' });
  expect(answer).toMatchObject({ status: 405, headers: { allow: 'GET, PUT' } });
});

test.each([
  new TypeError('secret internals'),
  new AgentContainersError('broken-contract', 'secret internals'),
  'secret internals',
])('a fault of ours is logged and says nothing about itself (%#)', async (error) => {
  const logged: unknown[] = [];
  const logger = { debug() {}, info() {}, warn() {}, error: (fields: object) => logged.push(fields) };
  // A rejection that is no Error has to be survived too.
  const api = scriptedApi({ list: () => Promise.reject(error as Error) });
  const port = await mount(createRouter(api, { clock: createFakeClock(), logger }));
  const answer = await ask(port, { path: '/mnt/' });
  expect(answer).toMatchObject({ status: 500, json: { message: 'Internal error' } });
  expect(answer.text).not.toContain('secret');
  expect(logged).toEqual([{ method: 'GET', path: '/', status: 500, err: error }]);
});

test('a recreate goes on when the client leaves', async () => {
  const asked = createDeferred<void>();
  const give = createDeferred<void>();
  const ended = createDeferred<string>();
  const { port } = await serve({
    recreate: async () => {
      asked.resolve();
      await give.promise;
      ended.resolve('went on');
      return receipt();
    },
  });
  const req = request({ port, host: '127.0.0.1', method: 'POST', path: '/mnt/devcontainers/dc-1/recreate' });
  const gone = new Promise((resolve) => req.on('error', resolve));
  req.end();
  await asked.promise;
  req.destroy();
  await gone;
  give.resolve();
  expect(await ended.promise).toBe('went on');
});

test('a plain GET of /watch has the documented answer', async () => {
  const { call } = await serve();
  expect(await call({ path: '/watch' })).toMatchObject({
    status: 500,
    json: { message: 'Failed to upgrade connection to websocket.' },
  });
});

test('after close every request is answered by 503', async () => {
  const { call, router } = await serve();
  await router.close();
  await router.close();
  for (const path of ['/', '/devcontainers', '/events', '/nowhere']) {
    expect(await call({ path })).toMatchObject({ status: 503, json: { message: 'API closed' } });
  }
});

test('HEAD is answered like GET, without the body', async () => {
  const { call } = await serve({ list: async () => listOf('web') });
  const answer = await call({ method: 'HEAD', path: '/devcontainers' });
  expect(answer).toMatchObject({ status: 200, text: '' });
  expect(Number(answer.headers['content-length'])).toBeGreaterThan(100);
});
