import { expect, test } from 'vitest';
import type { AgentContainers, VolumesOption } from '../agentcontainers/api.ts';
import { AgentContainersError } from '../errors.ts';
import type { ErrorCode } from '../errors.ts';
import { createFakeClock } from '../testing/fake-clock.ts';
import { HOOK_NAMES } from '../agentcontainers/model/hook-names.ts';
import { createRouter } from './router.ts';
import { receipt, scriptedApi, T0, VERDICT } from './test-api.ts';
import { ask, mount } from './test-server.ts';
import type { Ask } from './test-server.ts';
import * as wire from './wire-schemas.ts';

const JSON_HEADERS = { 'content-type': 'application/json' };

async function serve(script: Partial<AgentContainers> = {}) {
  const port = await mount(createRouter(scriptedApi(script), { clock: createFakeClock() }));
  return (method: string, path: string, body?: unknown) => {
    const content: Ask = body === undefined ? {} : { headers: JSON_HEADERS, body: JSON.stringify(body) };
    return ask(port, { method, path: `/mnt${path}`, ...content });
  };
}

const fail = (code: ErrorCode, details: object) => () =>
  Promise.reject(new AgentContainersError(code, `Doing it failed: ${code}.`, { details: { ...details } }));

const HOLDERS = [{ id: 'h-1', kind: 'exec', description: 'npm', since: T0 }];

test.each([
  [undefined, false],
  [{}, false],
  [{ force: false }, false],
  [{ force: true }, true],
])('recreate with the body %j has force %s, by id and by container', async (body, force) => {
  const calls: unknown[] = [];
  const call = await serve({
    recreate: async (...args) => (calls.push(args), receipt()),
    recreateByContainer: async (...args) => (calls.push(args), receipt()),
  });
  expect((await call('POST', '/devcontainers/dc-1/recreate', body)).status).toBe(202);
  expect((await call('POST', '/devcontainers/container/c-1/recreate', body)).status).toBe(202);
  expect(calls).toEqual([
    ['dc-1', { force }],
    ['c-1', { force }],
  ]);
});

test.each([{ force: 'yes' }, { force: 1 }, { forced: true }])('recreate refuses %j', async (body) => {
  const call = await serve();
  const answer = await call('POST', '/devcontainers/dc-1/recreate', body);
  expect(answer).toMatchObject({ status: 400, json: { validations: [{ field: Object.keys(body)[0] }] } });
});

test('who uses a busy devcontainer is told', async () => {
  const call = await serve({ recreate: fail('devcontainer-busy', { holders: HOLDERS, findings: VERDICT.findings }) });
  const answer = await call('POST', '/devcontainers/dc-1/recreate');
  expect(answer).toMatchObject({ status: 409, json: { message: 'Devcontainer is busy' } });
  const body = wire.wireError.parse(answer.json);
  expect(body.holders).toEqual([{ id: 'h-1', kind: 'exec', description: 'npm', since: '2025-01-31T12:00:00.000Z' }]);
  expect(body.findings).toBeUndefined();
});

test.each([
  ['/devcontainers', 'create', { workspace_folder: '/src/web' }],
  ['/devcontainers/dc-1/recreate', 'recreate', undefined],
  ['/devcontainers/dc-1/start', 'startDevcontainer', undefined],
  ['/devcontainers/dc-1/restart', 'restartDevcontainer', undefined],
  ['/devcontainers/dc-1/hooks/postCreateCommand', 'rerunHook', undefined],
] as const)('POST %s tells what is not trusted, and the hash to accept', async (path, method, body) => {
  const { findings, hash } = VERDICT;
  const call = await serve({ [method]: fail('devcontainer-not-trusted', { findings, hash, detail: 'Look first.' }) });
  const answer = await call('POST', path, body);
  expect(answer).toMatchObject({ status: 403 });
  expect(answer.json).toEqual({
    message: 'Devcontainer is not trusted',
    code: 'devcontainer-not-trusted',
    detail: 'Look first.',
    findings,
    hash,
  });
  wire.wireError.strict().parse(answer.json);
});

test.each<[string, VolumesOption]>([
  ['none', 'none'],
  ['anonymous', 'anonymous'],
  ['named', 'named'],
  ['', 'anonymous'],
  ['true', 'anonymous'],
  ['1', 'anonymous'],
  ['false', 'none'],
  ['0', 'none'],
])('volumes=%s means %s, for the removal and for its plan', async (value, volumes) => {
  const calls: unknown[] = [];
  const plan = { containers: ['web'], volumes: ['v'], networks: ['n'], entryGoes: false };
  const call = await serve({
    remove: async (...args) => void calls.push(args),
    planRemoval: async (...args) => (calls.push(args), plan),
  });
  expect((await call('DELETE', `/devcontainers/dc-1?volumes=${value}`)).status).toBe(204);
  expect(await call('DELETE', `/devcontainers/dc-1?dry_run&volumes=${value}`)).toMatchObject({
    status: 200,
    json: { containers: ['web'], volumes: ['v'], networks: ['n'], entry_goes: false },
  });
  expect(calls).toEqual([
    ['dc-1', { volumes }],
    ['dc-1', { volumes }],
  ]);
});

test.each(['volumes=all', 'volumes=none&volumes=named', 'dry_run=maybe', 'dryrun'])(
  'a removal with %s is refused, so that a slip removes nothing',
  async (query) => {
    const call = await serve();
    expect((await call('DELETE', `/devcontainers/dc-1?${query}`)).status).toBe(400);
  },
);

test.each(HOOK_NAMES)('%s can be run again', async (hook) => {
  const calls: unknown[] = [];
  const call = await serve({ rerunHook: async (...args) => (calls.push(args), receipt(true, { kind: 'rerun-hook' })) });
  expect(await call('POST', `/devcontainers/dc-1/hooks/${hook}`)).toMatchObject({
    status: 202,
    json: { operation_id: 'op-1' },
  });
  expect(calls).toEqual([['dc-1', hook]]);
});

test.each(['initializeCommand', 'postcreatecommand', '__proto__', 'x'])('%s is no hook to run', async (hook) => {
  const call = await serve();
  expect(await call('POST', `/devcontainers/dc-1/hooks/${hook}`)).toMatchObject({
    status: 400,
    json: { validations: [{ field: 'hook', detail: expect.stringContaining('postCreateCommand') }] },
  });
});

test('a container that is called hooks is recreated', async () => {
  const call = await serve({ recreateByContainer: async () => receipt() });
  expect((await call('POST', '/devcontainers/container/hooks/recreate')).status).toBe(202);
});

test('what differs is listed, with what there was before where it is known', async () => {
  const call = await serve({
    diff: async () => [
      { input: './Dockerfile', class: 'recreate', before: 'FROM a\n', after: 'FROM b\n' },
      { input: 'postCreateCommand', class: 'rerun-hook', after: '"make"' },
    ],
  });
  const answer = await call('GET', '/devcontainers/dc-1/diff');
  expect(answer.json).toEqual({
    differences: [
      { input: './Dockerfile', class: 'recreate', before: 'FROM a\n', after: 'FROM b\n' },
      { input: 'postCreateCommand', class: 'rerun-hook', after: '"make"' },
    ],
  });
  wire.wireDifferences.parse(answer.json);
});
