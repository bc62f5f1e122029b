import { expect, test } from 'vitest';
import { lifecycle } from './lifecycle.ts';
import { operation } from './operation.ts';
import { remove } from './remove.ts';
import { rerunHook } from './rerun-hook.ts';
import {
  FINDINGS,
  HASH,
  LOG,
  logEvents,
  RECEIPT,
  Refusal,
  testContext,
  wireEntry,
  wireOperation,
} from './test-context.ts';

const ENTRIES = { 'GET /devcontainers': { devcontainers: [wireEntry()] }, 'GET /devcontainers/dc-1': wireEntry() };
const HOLDERS = [{ id: 'h', kind: 'exec', description: 'npm', since: '2025-01-31T12:00:00.000Z' }];

test.each([
  [{}, undefined],
  [{ force: false }, undefined],
  [{ force: true }, { force: true }],
])('recreate with %j sends %j', async (flags, body) => {
  const context = testContext({ ...ENTRIES, 'POST /devcontainers/dc-1/recreate': RECEIPT });
  expect(await lifecycle(context, { wait: false, ...flags }, 'recreate', 'app')).toBe(0);
  expect(context.requests.at(-1)?.body).toEqual(body);
  expect(context.stdout()).toBe('Devcontainer recreation initiated.\n');
  expect(context.stderr()).toContain('agentcontainers operation op-1');
});

test('busy is told with who uses it and the two ways on', async () => {
  const busy = new Refusal(409, { message: 'Devcontainer is busy', code: 'devcontainer-busy', holders: HOLDERS });
  const context = testContext({ ...ENTRIES, 'POST /devcontainers/dc-1/recreate': busy });
  const refused = lifecycle(context, { wait: true }, 'recreate', 'app');
  await expect(refused).rejects.toMatchObject({
    code: 'devcontainer-busy',
    details: { holders: HOLDERS, next: expect.stringContaining('agentcontainers recreate --force app') },
  });
});

test.each(['recreate', 'start', 'restart'] as const)('%s of what is not trusted leads to trust', async (action) => {
  const body = {
    message: 'Devcontainer is not trusted',
    code: 'devcontainer-not-trusted',
    findings: FINDINGS,
    hash: HASH,
  };
  const context = testContext({ ...ENTRIES, [`POST /devcontainers/dc-1/${action}`]: new Refusal(403, body) });
  await expect(lifecycle(context, { wait: true }, action, 'app')).rejects.toMatchObject({
    details: { findings: FINDINGS, hash: HASH, next: expect.stringContaining('agentcontainers trust app') },
  });
});

test('a refusal of another kind stays as it is', async () => {
  const transitioning = new Refusal(409, { message: 'x', code: 'devcontainer-transitioning' });
  const context = testContext({ ...ENTRIES, 'POST /devcontainers/dc-1/stop': transitioning });
  await expect(lifecycle(context, { wait: true }, 'stop', 'app')).rejects.toMatchObject({
    details: expect.not.objectContaining({ next: expect.anything() }) as unknown,
  });
});

test('a hook is run again and followed', async () => {
  const ended = wireOperation({ kind: 'rerun-hook', phase: 'postCreateCommand' });
  const context = testContext({
    ...ENTRIES,
    'POST /devcontainers/dc-1/hooks/postCreateCommand': RECEIPT,
    'GET /operations/op-1': ended,
  });
  expect(await rerunHook(context, { wait: true }, 'app', 'postCreateCommand')).toBe(0);
  expect(context.stdout()).toContain('app is running');
});

test.each([
  [{}, ''],
  [{ volumes: true as const }, '?volumes=anonymous'],
  [{ volumes: 'none' as const }, '?volumes=none'],
  [{ volumes: 'named' as const }, '?volumes=named'],
])('rm with %j asks for %j', async (flags, query) => {
  const context = testContext({ ...ENTRIES, [`DELETE /devcontainers/dc-1${query}`]: undefined });
  expect(await remove(context, flags, 'app')).toBe(0);
  expect(context.stdout()).toBe('Removed app. The folder /src/app is untouched.\n');
});

test('rm --dry-run shows what would go, and removes nothing', async () => {
  const plan = { containers: ['app-1', 'db-1'], volumes: ['data'], networks: ['net'], entry_goes: true };
  const script = { ...ENTRIES, 'DELETE /devcontainers/dc-1?volumes=named&dry_run=true': plan };
  const context = testContext(script);
  const flags = { volumes: 'named', dryRun: true } as const;
  expect(await remove(context, flags, 'app')).toBe(0);
  expect(context.stdout().replaceAll(/ +/g, ' ').split('\n')).toEqual([
    ...['WOULD GO NAME', 'container app-1', 'container db-1', 'volume data', 'network net'],
    ...['app would not be listed any more. Nothing was changed.', ''],
  ]);
  const program = testContext(script, { json: true });
  await remove(program, flags, 'app');
  expect(JSON.parse(program.stdout())).toMatchObject({ devcontainer: { id: 'dc-1' }, plan });
  const nothing = { containers: [], volumes: [], networks: [], entry_goes: false };
  const empty = testContext({ ...ENTRIES, 'DELETE /devcontainers/dc-1?dry_run=true': nothing });
  await remove(empty, { dryRun: true }, 'app');
  expect(empty.stdout()).toBe(
    'Of app nothing is there to be removed.\napp would stay listed as stopped. Nothing was changed.\n',
  );
});

test('an operation is shown with its steps, and with the end of its log when it failed', async () => {
  const at = (seconds: number): string => new Date(Date.UTC(2025, 0, 31, 12) + seconds * 1_000).toISOString();
  const failed = wireOperation({
    status: 'failed',
    error: 'The build failed.',
    ended_at: at(75),
    steps: [{ name: 'build', started_at: at(0), ended_at: at(75) }],
  });
  const context = testContext({
    ...ENTRIES,
    'GET /operations/op-1': failed,
    [`GET ${LOG}`]: logEvents({ offset: 7, text: 'RUN false\nexit code 1\n' }),
  });
  expect(await operation(context, {}, 'op-1')).toBe(0);
  expect(context.stdout().split('\n')).toEqual([
    'recreate of app: failed, 1m15s',
    ...['STEP   TIME', 'build  1m15s'],
    'error: The build failed.',
    'Log: agentcontainers logs app',
    ...['  RUN false', '  exit code 1', ''],
  ]);
});

test('an operation that runs is shown so far, or followed to its end, whose code it then has', async () => {
  const running = wireOperation({ status: 'running', started_at: new Date().toISOString() });
  const context = testContext({ ...ENTRIES, 'GET /operations/op-1': running });
  await operation(context, {}, 'op-1');
  expect(context.stdout()).toMatch(/^recreate of app: running, .* so far\nFollow it with .*operation --follow op-1/);
  const failed = wireOperation({ status: 'failed', error: 'no' });
  const followed = testContext({ ...ENTRIES, 'GET /operations/op-1': failed, [`GET ${LOG}`]: logEvents() });
  expect(await operation(followed, { follow: true }, 'op-1')).toBe(1);
  expect(followed.stderr()).toContain('error: recreate of app: no');
});
