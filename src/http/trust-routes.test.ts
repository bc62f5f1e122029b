import { expect, test } from 'vitest';
import type { AgentContainers } from '../agentcontainers/api.ts';
import { AgentContainersError } from '../errors.ts';
import { createFakeClock } from '../testing/fake-clock.ts';
import { createRouter } from './router.ts';
import { scriptedApi, VERDICT } from './test-api.ts';
import { ask, mount } from './test-server.ts';

const PATH = '/mnt/devcontainers/dc-1/trust';
const { hash } = VERDICT;
const OTHER = 'b2'.repeat(32);

async function serve(script: Partial<AgentContainers> = {}) {
  const calls: unknown[] = [];
  const api = scriptedApi({
    trust: async (...args) => void calls.push(['trust', ...args]),
    revokeTrust: async (...args) => void calls.push(['revokeTrust', ...args]),
    ...script,
  });
  const port = await mount(createRouter(api, { clock: createFakeClock() }));
  const call = (method: string, query = '', body?: unknown) =>
    ask(port, {
      method,
      path: PATH + query,
      ...(body !== undefined && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    });
  return { call, calls };
}

test('a hash is accepted', async () => {
  const { call, calls } = await serve();
  expect(await call('POST', '', { hash })).toMatchObject({ status: 204, text: '' });
  expect(calls).toEqual([['trust', 'dc-1', hash]]);
});

test.each([undefined, {}, { hash: '' }, { hash: 'a1' }, { hash: hash.toUpperCase() }, { hash, force: true }])(
  'nothing is accepted with the body %j',
  async (body) => {
    const { call, calls } = await serve();
    expect(await call('POST', '', body)).toMatchObject({ status: 400, json: { message: 'Invalid request' } });
    expect(calls).toEqual([]);
  },
);

test.each([
  ['no hash', '', undefined, undefined],
  ['an empty object', '', {}, undefined],
  ['the hash in the body', '', { hash }, hash],
  ['the hash in the query', `?hash=${hash}`, undefined, hash],
  ['the same hash in both', `?hash=${hash}`, { hash }, hash],
])('trust is taken back with %s', async (_name, query, body, expected) => {
  const { call, calls } = await serve();
  expect((await call('DELETE', query, body)).status).toBe(204);
  expect(calls).toEqual([['revokeTrust', 'dc-1', expected]]);
});

test.each([
  ['two hashes', `?hash=${OTHER}`, { hash }],
  ['what is no hash', '?hash=x', undefined],
  ['an unknown field', '', { all: true }],
])('taking trust back with %s is refused', async (_name, query, body) => {
  const { call, calls } = await serve();
  expect((await call('DELETE', query, body)).status).toBe(400);
  expect(calls).toEqual([]);
});

test('a hash that is not the current one is a conflict, and the current one is told', async () => {
  const changed = () =>
    Promise.reject(
      new AgentContainersError('verdict-changed', 'Trusting web failed: its findings have changed.', {
        details: { hash: OTHER },
      }),
    );
  const { call } = await serve({ trust: changed, revokeTrust: changed });
  const detail = 'Trusting web failed: its findings have changed.';
  expect(await call('POST', '', { hash })).toMatchObject({
    status: 409,
    json: { message: 'The findings have changed', code: 'verdict-changed', hash: OTHER, detail },
  });
  expect(await call('DELETE', '', { hash })).toMatchObject({
    status: 409,
    json: { message: 'Another verdict is trusted', hash: OTHER },
  });
});

test('trust knows no other methods', async () => {
  const { call } = await serve();
  expect(await call('GET')).toMatchObject({ status: 405, headers: { allow: 'POST, DELETE' } });
});
