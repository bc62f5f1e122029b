import { mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { ClientRequest } from '../client/client.ts';
import {
  FINDINGS,
  HASH,
  LOG,
  logEvents,
  RECEIPT,
  Refusal,
  testContext,
  UNTRUSTED,
  wireEntry,
  wireOperation,
} from './test-context.ts';
import { up } from './up.ts';

const NOT_TRUSTED = new Refusal(403, {
  message: 'Devcontainer is not trusted',
  code: 'devcontainer-not-trusted',
  findings: FINDINGS,
  hash: HASH,
});

let folder: string;
beforeEach(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'ac-up-')));
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

/** A daemon that brings up what is trusted. */
function daemon({ isKnown, withoutCommand = false }: { isKnown: boolean; withoutCommand?: boolean }) {
  const state = { isKnown, trusted: false };
  const findings = withoutCommand ? FINDINGS.slice(0, 1) : FINDINGS;
  const verdict = { hash: HASH, finding_count: findings.length, findings };
  const agent = { id: null, name: 'app', directory: '/', status: 'running' } as const;
  const entry = () => wireEntry({ ...UNTRUSTED, verdict, agent, workspace_folder: folder, trusted: state.trusted });
  const step = { name: 'create', started_at: '2025-01-31T12:00:00.000Z', ended_at: '2025-01-31T12:00:00.000Z' };
  return {
    'GET /devcontainers': () => ({ devcontainers: state.isKnown ? [entry()] : [] }),
    'GET /devcontainers/dc-1': entry,
    'POST /devcontainers': () => {
      state.isKnown = true;
      return state.trusted || withoutCommand ? RECEIPT : NOT_TRUSTED;
    },
    'POST /devcontainers/dc-1/trust': ({ body }: ClientRequest) => {
      state.trusted = (body as { hash: string }).hash === HASH;
    },
    'GET /operations/op-1': () => wireOperation({ kind: 'create', steps: [step] }),
  };
}

test.each([true, false])(
  'a folder that is not trusted (known: %s) is refused with the way to trust it',
  async (isKnown) => {
    const context = testContext(daemon({ isKnown }));
    await expect(up(context, { wait: true }, folder)).rejects.toMatchObject({
      code: 'devcontainer-not-trusted',
      details: { findings: FINDINGS, hash: HASH, next: expect.stringContaining('agentcontainers trust app') },
    });
    expect(context.requests.some(({ path }) => path.endsWith('/trust'))).toBe(false);
  },
);

test.each([true, false])('--trust shows the findings, accepts them and goes on (known: %s)', async (isKnown) => {
  const context = testContext(daemon({ isKnown }));
  expect(await up(context, { wait: true, trust: true }, folder)).toBe(0);
  const [title, ...lines] = context.stdout().split('\n');
  expect(title).toBe('What app can do to this machine (nobody has accepted it):');
  expect(lines.join('\n')).toContain('/var/run/docker.sock');
  expect(lines.at(-2)).toContain('app is running');
  expect(context.requests.filter(({ path }) => path.endsWith('/trust'))).toHaveLength(1);
});

test('--trust does not accept what has changed since it was shown', async () => {
  const changed = new Refusal(409, { message: 'The findings have changed', code: 'verdict-changed', hash: 'now' });
  const context = testContext({ ...daemon({ isKnown: true }), 'POST /devcontainers/dc-1/trust': changed });
  await expect(up(context, { wait: true, trust: true }, folder)).rejects.toMatchObject({ code: 'verdict-changed' });
  expect(context.requests.some(({ method, path }) => method === 'POST' && path === '/devcontainers')).toBe(false);
});

test('where only the command for this machine is not trusted it comes up without it, and that is said', async () => {
  const context = testContext(daemon({ isKnown: false, withoutCommand: true }));
  expect(await up(context, { wait: true }, folder)).toBe(0);
  expect(context.stderr()).toContain('was left out: nobody has accepted it');
  const accepted = testContext(daemon({ isKnown: false, withoutCommand: true }));
  expect(await up(accepted, { wait: true, trust: true }, folder)).toBe(0);
  expect(accepted.stderr()).toContain('To run it: agentcontainers recreate app');
  expect(accepted.stderr()).not.toContain('nobody has accepted it');
});

test('what only the image asks for is accepted with --trust as well, and then brought up', async () => {
  const failed = wireOperation({ kind: 'create', status: 'failed', error: 'Devcontainer is not trusted' });
  let tries = 0;
  const base = daemon({ isKnown: false, withoutCommand: true });
  const context = testContext({
    ...base,
    'GET /operations/op-1': () => (tries++ === 0 ? failed : base['GET /operations/op-1']()),
    [`GET ${LOG}`]: logEvents(),
  });
  expect(await up(context, { wait: true, trust: true }, folder)).toBe(0);
  expect(context.requests.filter(({ method, path }) => method === 'POST' && path === '/devcontainers')).toHaveLength(2);
  expect(context.stdout()).toContain('app is running');
});

test('a folder that is not there is told before a daemon is asked', async () => {
  const context = testContext({});
  const missing = join(folder, basename(folder));
  await expect(up(context, { wait: true }, missing)).rejects.toMatchObject({ code: 'folder-not-found' });
});
