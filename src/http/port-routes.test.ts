import { expect, test } from 'vitest';
import type { ForwardRequest, PortForward } from '../agentcontainers/api.ts';
import { AgentContainersError } from '../errors.ts';
import { createFakeClock } from '../testing/fake-clock.ts';
import { createRouter } from './router.ts';
import { devcontainer, scriptedApi } from './test-api.ts';
import { scriptedRuntime } from './test-runtime.ts';
import { ask, mount } from './test-server.ts';
import { toWireDevcontainer, toWireList } from './wire.ts';

const BASE = '/mnt/devcontainers/dc-1';

async function open(script: Parameters<typeof scriptedRuntime>[0]) {
  const router = createRouter(scriptedApi({ devcontainer: () => scriptedRuntime(script) }), {
    clock: createFakeClock(),
  });
  const port = await mount(router);
  return (method: string, path: string, body?: object) =>
    ask(port, {
      method,
      path: `${BASE}${path}`,
      ...(body && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    });
}

const FORWARD: PortForward = { id: 'f1', host: 'db', port: 5432, hostPort: 15_432, status: 'listening' };
const WIRE_FORWARD = { id: 'f1', host: 'db', port: 5432, host_port: 15_432, status: 'listening' };

test('ports are listed with who listens, as far as it is known', async () => {
  const run = await open({
    ports: async () => [
      { port: 80, address: '::', family: 6, pid: 7, name: 'nginx', process: 'ab12-1' },
      { port: 22, address: '127.0.0.1', family: 4 },
    ],
  });
  expect((await run('GET', '/ports')).json).toEqual({
    ports: [
      { port: 80, address: '::', family: 6, pid: 7, name: 'nginx', process: 'ab12-1' },
      { port: 22, address: '127.0.0.1', family: 4 },
    ],
  });
});

test('statistics are in snake_case, with null for what nobody tells', async () => {
  const run = await open({
    stats: async () => ({
      memory: { current: 1, max: null, oomKills: 0 },
      cpu: { usageUsec: 2 },
      pids: { current: 3, max: null },
      residentBytes: null,
    }),
  });
  expect((await run('GET', '/stats')).json).toEqual({
    memory: { current: 1, max: null, oom_kills: 0 },
    cpu: { usage_usec: 2 },
    pids: { current: 3, max: null },
    resident_bytes: null,
  });
});

test('forwards are made, listed and ended', async () => {
  const calls: unknown[] = [];
  const failed: PortForward = { ...FORWARD, id: 'f2', status: 'failed', error: 'the port is taken' };
  const run = await open({
    async forward(request: ForwardRequest) {
      calls.push(request);
      return FORWARD;
    },
    forwards: async () => [FORWARD, failed],
    async endForward(id: string) {
      calls.push(id);
    },
  });
  expect(await run('POST', '/forwards', { port: 5432, host: 'db', host_port: 15_432 })).toMatchObject({
    status: 201,
    json: WIRE_FORWARD,
  });
  await run('POST', '/forwards', { port: 80 });
  expect((await run('GET', '/forwards')).json).toEqual({
    forwards: [WIRE_FORWARD, { ...WIRE_FORWARD, id: 'f2', status: 'failed', error: 'the port is taken' }],
  });
  expect(await run('DELETE', '/forwards/f1')).toMatchObject({ status: 204, text: '' });
  expect(calls).toEqual([{ port: 5432, host: 'db', hostPort: 15_432 }, { port: 80 }, 'f1']);
});

test.each([
  ['port-taken', 409, 'Port is taken'],
  ['forward-not-found', 404, 'Port forward not found'],
  ['runtime-unavailable', 409, 'The runtime of the container is not available'],
] as const)('a refusal with %s has its own status', async (code, status, message) => {
  const refuse = (): Promise<never> => Promise.reject(new AgentContainersError(code, 'It failed: a reason.'));
  const run = await open({ forward: refuse, endForward: refuse });
  const expected = { status, json: { message, code, detail: 'It failed: a reason.' } };
  expect(await run('POST', '/forwards', { port: 80 })).toMatchObject(expected);
  expect(await run('DELETE', '/forwards/x')).toMatchObject(expected);
});

test.each<[object, string]>([
  [{}, 'port'],
  [{ port: 0 }, 'port'],
  [{ port: 65_536 }, 'port'],
  [{ port: '80' }, 'port'],
  [{ port: 80, host: '' }, 'host'],
  [{ port: 80, host: 'a b' }, 'host'],
  [{ port: 80, host: 'x'.repeat(256) }, 'host'],
  [{ port: 80, host_port: -1 }, 'host_port'],
  [{ port: 80, bind: '0.0.0.0' }, 'bind'],
])('a forward of %j is refused by field', async (body, field) => {
  const run = await open({});
  const answer = await run('POST', '/forwards', body);
  expect(answer).toMatchObject({ status: 400, json: { message: 'Invalid request' } });
  expect((answer.json as { validations: { field: string }[] }).validations.map((one) => one.field)).toContain(field);
});

test('forwards are part of a devcontainer, in lists, too', () => {
  const entry = devcontainer({ forwards: [FORWARD] });
  const expected = { forwards: [{ ...WIRE_FORWARD, error: undefined }] };
  expect(toWireDevcontainer(entry)).toMatchObject(expected);
  expect(toWireList({ devcontainers: [entry], containers: [], warnings: [] }).devcontainers[0]).toMatchObject(expected);
  expect(JSON.stringify(toWireDevcontainer(devcontainer()))).not.toContain('forwards');
});
