import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { AgentContainersError } from '../../errors.ts';
import type { WireOperation } from '../../http/wire-schemas.ts';
import { followOperation } from './follow-operation.ts';
import { lifecycle } from './lifecycle.ts';
import { LOG, logEvents, RECEIPT, Refusal, testContext, wireEntry, wireOperation } from './test-context.ts';

// A pause takes its time of the clock, and none of the test's.
vi.mock('node:timers/promises', () => ({
  setTimeout: async (ms: number, _value: unknown, options?: { signal?: AbortSignal }) => {
    options?.signal?.throwIfAborted();
    vi.setSystemTime(Date.now() + ms);
    await new Promise(setImmediate);
  },
}));
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'] });
});
afterEach(() => {
  vi.useRealTimers();
});

const AT = '2025-01-31T12:00:00.000Z';
const LATER = '2025-01-31T12:00:12.300Z';
const BUILD = { name: 'build', started_at: AT };
const BUILT = { ...BUILD, ended_at: LATER };

/** Answers one after another; the last one from then on. */
function inTurn(...answers: unknown[]) {
  let index = 0;
  return () => answers[Math.min(index++, answers.length - 1)];
}

function daemon(operations: () => unknown, more: Record<string, unknown> = {}) {
  return {
    'GET /operations/op-1': operations,
    'GET /devcontainers/dc-1': wireEntry(),
    [LOG]: '',
    [`GET ${LOG}`]: logEvents(),
    [`GET ${LOG}&follow=true`]: logEvents(),
    ...more,
  };
}

const running = (part: Partial<WireOperation> = {}) => wireOperation({ status: 'running', steps: [BUILD], ...part });
const options = { title: 'app', verbose: false, agent: false, signal: new AbortController().signal };
const away = () => new AgentContainersError('daemon-unreachable', 'Reaching the daemon failed: none is running.');

test('its steps are shown as they go, with their times, until it has ended', async () => {
  const ended = wireOperation({ steps: [BUILT, { name: 'create', started_at: LATER, ended_at: LATER }] });
  const context = testContext(daemon(inTurn(running({ steps: [] }), running(), running(), ended)));
  const followed = await followOperation(context.client, context.output, RECEIPT, options);
  expect(followed).toEqual({ operation: ended, devcontainer: wireEntry(), tail: [] });
  expect(context.stderr()).toBe('app: build\napp: build done (12.3s)\napp: create done (0ms)\n');
});

test('the step that failed is told, with the end of what was written', async () => {
  const failed = wireOperation({ status: 'failed', error: 'The build failed.', steps: [BUILT] });
  const text = `${'x\n'.repeat(100)}RUN false\n    at build (/cli/dist/spec.js:1:2)\nexit code 1\n`;
  const context = testContext(daemon(inTurn(running(), failed), { [`GET ${LOG}`]: logEvents({ offset: 7, text }) }));
  const followed = await followOperation(context.client, context.output, RECEIPT, options);
  expect(context.stderr()).toBe('app: build\napp: build failed (12.3s)\n');
  expect(followed?.tail).toHaveLength(15);
  expect(followed?.tail.slice(-2)).toEqual(['RUN false', 'exit code 1']);
});

test('what failed and is shown with the entry is not read from the log', async () => {
  const degraded = [{ phase: 'postCreateCommand', output_tail: 'oh no' }];
  const failed = wireOperation({ status: 'failed', steps: [BUILT] });
  const context = testContext(daemon(() => failed, { 'GET /devcontainers/dc-1': wireEntry({ degraded }) }));
  const followed = await followOperation(context.client, context.output, RECEIPT, options);
  expect(followed?.tail).toEqual([]);
});

test('a daemon that is restarted meanwhile is waited for, and knows how it went', async () => {
  const interrupted = wireOperation({ status: 'interrupted', steps: [BUILT] });
  const closing = new Refusal(503, { message: 'API closed', code: 'api-closed' });
  const context = testContext(daemon(inTurn(running(), closing, away(), away(), interrupted)));
  const followed = await followOperation(context.client, context.output, RECEIPT, options);
  expect(followed?.operation.status).toBe('interrupted');
});

test('a daemon that stays away is given up after a while', async () => {
  const context = testContext(daemon(inTurn(running(), away())));
  const began = Date.now();
  await expect(followOperation(context.client, context.output, RECEIPT, options)).rejects.toMatchObject({
    code: 'daemon-unreachable',
  });
  expect(Date.now() - began).toBeGreaterThan(10_000);
  expect(Date.now() - began).toBeLessThan(30_000);
});

test('an operation that removed its devcontainer ends without one', async () => {
  const gone = new Refusal(404, { message: 'Devcontainer not found.', code: 'devcontainer-not-found' });
  const ended = wireOperation({ kind: 'delete' });
  const context = testContext(daemon(() => ended, { 'GET /devcontainers/dc-1': gone }));
  const followed = await followOperation(context.client, context.output, RECEIPT, options);
  expect(followed).toEqual({ operation: ended, devcontainer: undefined, tail: [] });
});

test('with --verbose every line is shown, also those written after the last look', async () => {
  const [first, rest] = [
    { offset: 7, text: 'Grüße\n' },
    { offset: 15, text: 'done\n' },
  ];
  const context = testContext(
    daemon(inTurn(running(), wireOperation()), {
      [`GET ${LOG}&follow=true`]: logEvents(first),
      'GET /devcontainers/dc-1/logs?offset=15&follow=true': logEvents(),
      'GET /devcontainers/dc-1/logs?offset=15': logEvents(rest),
    }),
  );
  await followOperation(context.client, context.output, RECEIPT, { ...options, verbose: true });
  expect(context.stderr()).toBe('app: build\nGrüße\ndone\n');
});

test('the sub-agent is waited for, when that is wanted', async () => {
  const agent = (status: 'starting' | 'running') =>
    wireEntry({ agent: { id: null, name: 'app', directory: '/', status } });
  const entries = inTurn(wireEntry(), agent('starting'), agent('running'));
  const context = testContext(daemon(() => wireOperation(), { 'GET /devcontainers/dc-1': entries }));
  const followed = await followOperation(context.client, context.output, RECEIPT, { ...options, agent: true });
  expect(followed?.devcontainer?.agent?.status).toBe('running');
});

test('Ctrl-C leaves the operation to the daemon and says how to go on, also when the daemon is silent', async () => {
  const silent = (request: { signal?: AbortSignal | undefined }) =>
    new Promise((_resolve, reject) => {
      request.signal?.addEventListener('abort', () => reject(new AgentContainersError('cancelled', 'Cancelled.')));
      setImmediate(() => process.emit('SIGINT'));
    });
  const script = {
    'GET /devcontainers': { devcontainers: [wireEntry()] },
    'POST /devcontainers/dc-1/recreate': RECEIPT,
    ...daemon(inTurn(running())),
  };
  for (const json of [false, true]) {
    const listeners = process.listenerCount('SIGINT');
    const context = testContext(script, { json });
    const { client } = context;
    // The second look at the operation is never answered.
    let looks = 0;
    const send: typeof client.send = async (request) =>
      request.path === '/operations/op-1' && ++looks > 1 ? ((await silent(request)) as never) : client.send(request);
    expect(await lifecycle({ ...context, client: { ...client, send } }, { wait: true, json }, 'recreate', 'app')).toBe(
      130,
    );
    expect(process.listenerCount('SIGINT')).toBe(listeners);
    if (json) expect(JSON.parse(context.stdout())).toEqual(RECEIPT);
    else expect(context.stderr()).toContain('agentcontainers logs -f app; how it goes: agentcontainers operation op-1');
  }
});
