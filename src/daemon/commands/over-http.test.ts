import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { AgentContainers } from '../../agentcontainers/api.ts';
import { AgentContainersError } from '../../errors.ts';
import { createApp } from '../../http/app.ts';
import { devcontainer, operation, receipt, scriptedApi, T0, VERDICT } from '../../http/test-api.ts';
import { listen } from '../../http/test-server.ts';
import { runProgram } from '../program.ts';

// The command line and the router together: what one sends is what the other takes.

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'ac-http-'));
});
afterEach(async () => {
  vi.restoreAllMocks();
  await rm(directory, { recursive: true });
});

async function serve(script: Partial<AgentContainers>) {
  const entry = devcontainer({ id: 'dc-1', name: 'web', trusted: false, verdict: VERDICT });
  const api = scriptedApi({
    list: async () => ({ devcontainers: [entry], containers: [], warnings: [] }),
    get: async () => entry,
    operation: async () => operation({ status: 'succeeded' }),
    ...script,
  });
  const socket = join(directory, 's');
  await listen(createApp(api).createServer({ trust: 'socket' }), socket);
  return async (...args: string[]) => {
    const written = { out: '', err: '' };
    vi.spyOn(process.stdout, 'write').mockImplementation((chunk) => ((written.out += String(chunk)), true));
    vi.spyOn(process.stderr, 'write').mockImplementation((chunk) => ((written.err += String(chunk)), true));
    const code = await runProgram([...args, '--socket', socket]);
    vi.restoreAllMocks();
    return { code, ...written };
  };
}

const refuse = (code: 'devcontainer-not-trusted' | 'devcontainer-busy', details: object) => () =>
  Promise.reject(new AgentContainersError(code, 'x', { details: { ...details, detail: 'In a line.' } }));

test('trust is given by the hash that was shown, and taken back', async () => {
  const calls: unknown[] = [];
  const run = await serve({
    trust: async (...args) => void calls.push(args),
    revokeTrust: async (...args) => void calls.push(args),
  });
  const shown = await run('trust', 'web', '--yes');
  expect(shown).toMatchObject({ code: 0, out: expect.stringContaining('/var/run/docker.sock') });
  expect((await run('trust', 'web', '--revoke', '--hash', VERDICT.hash)).code).toBe(0);
  expect(calls).toEqual([
    ['dc-1', VERDICT.hash],
    ['dc-1', VERDICT.hash],
  ]);
  const { code, out } = await run('trust', 'web', '--json');
  expect(code).toBe(4);
  expect(JSON.parse(out)).toMatchObject({ hash: VERDICT.hash, added: VERDICT.findings });
  // What is no hash at all is wrong usage, and says so.
  const wrong = await run('trust', 'web', '--hash', 'abc');
  expect(wrong).toMatchObject({ code: 2, err: expect.stringContaining('64 characters') });
});

test('what is not trusted and what is busy ends with 4, with a table and the next step', async () => {
  const holders = [{ id: 'h', kind: 'terminal', description: 'vim', since: T0 }];
  const run = await serve({
    recreate: refuse('devcontainer-busy', { holders }),
    startDevcontainer: refuse('devcontainer-not-trusted', VERDICT),
  });
  const busy = await run('recreate', 'web');
  expect(busy).toMatchObject({ code: 4, out: '' });
  expect(busy.err).toMatch(/^error: Devcontainer is busy\n +USED BY +WHAT +SINCE\n +terminal +vim +2025-01-31/);
  expect(busy.err).toContain('agentcontainers recreate --force web');
  const untrusted = await run('start', 'web');
  expect(untrusted.code).toBe(4);
  expect(untrusted.err).toMatch(/^error: Devcontainer is not trusted\n +FINDING +WHAT +SAID BY\n/);
  expect(untrusted.err).toContain('agentcontainers trust web');
  expect(untrusted.err).not.toContain('In a line.');
  const { out } = await run('start', 'web', '--json');
  expect(JSON.parse(out)).toMatchObject({ error: { findings: VERDICT.findings, hash: VERDICT.hash } });
});

test('force, hooks, plans, differences and operations get through', async () => {
  const calls: unknown[] = [];
  const plan = { containers: ['web-1'], volumes: ['v'], networks: [], entryGoes: true };
  const run = await serve({
    recreate: async (...args) => (calls.push(args), receipt()),
    rerunHook: async (...args) => (calls.push(args), receipt()),
    planRemoval: async (...args) => (calls.push(args), plan),
    remove: async (...args) => void calls.push(args),
    diff: async () => [{ input: './Dockerfile', class: 'recreate', before: 'FROM a', after: 'FROM b' }],
  });
  await run('recreate', '--force', '--no-wait', 'web');
  await run('rerun-hook', 'web', 'postCreateCommand');
  expect((await run('rm', '--dry-run', '--volumes', 'web')).out).toMatch(/container +web-1\nvolume +v\n/);
  expect((await run('rm', '--volumes', 'named', 'web')).code).toBe(0);
  expect(calls).toEqual([
    ['dc-1', { force: true }],
    ['dc-1', 'postCreateCommand'],
    ['dc-1', { volumes: 'anonymous' }],
    ['dc-1', { volumes: 'named' }],
  ]);
  expect((await run('operation', 'op-1')).out).toContain('recreate of web: succeeded');
  expect((await run('list')).out).toMatch(/web +running +untrusted /);
});
