import { chmod, mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createDaemonClient, type DaemonClient } from '../client/client.ts';
import { acquireInstanceLock } from '../state/instance-lock.ts';
import { engineInUse, noteEngineInUse } from '../state/engine-in-use.ts';
import { prepareStateDirectory, stateDirectoryAt } from '../state/state-directory.ts';
import { checkClients, checkNetworks } from './check-clients.ts';
import { checkEngines, type EngineFlags } from './check-engine.ts';
import { checkInotify, checkNode } from './check-machine.ts';
import { fail, ok } from './finding.ts';
import { checkDaemon, checkStateDirectory } from './check-state.ts';

test.each([
  ['20.19.0', 'ok'],
  ['20.18.9', 'fail'],
  ['18.20.0', 'fail'],
  ['22.0.0', 'ok'],
])('Node.js %s is %s', (version, verdict) => {
  expect(checkNode(version).verdict).toBe(verdict);
});

test('low inotify limits are a warning with the command that raises them', async () => {
  const limits: Record<string, string> = { max_user_instances: '128\n', max_user_watches: '524288\n' };
  const findings = await checkInotify(async (name) => limits[name]);
  expect(findings.map(({ verdict }) => verdict)).toEqual(['warn', 'ok']);
  expect(findings[0]?.next).toContain('sysctl fs.inotify.max_user_instances=512');
});

test('where there is no inotify nothing is said', async () => {
  expect(await checkInotify(async () => undefined)).toEqual([]);
});

const missing = Object.assign(new Error('spawn docker ENOENT'), { code: 'ENOENT' });

test('a missing docker client fails, since the dev container CLI needs it', async () => {
  const findings = await checkClients(() => Promise.reject(missing));
  expect(findings.map(({ check, verdict }) => [check, verdict])).toEqual([
    ['docker client', 'fail'],
    ['compose', 'warn'],
  ]);
  expect(findings.every(({ next }) => next !== undefined)).toBe(true);
});

test('docker-compose stands in for the compose plugin', async () => {
  const findings = await checkClients((file, args) =>
    args[0] === 'compose' ? Promise.reject(new Error('no plugin')) : Promise.resolve(`${file} 1.29\nmore`),
  );
  expect(findings.map(({ verdict, message }) => [verdict, message])).toEqual([
    ['ok', 'docker 1.29'],
    ['ok', 'docker-compose 1.29'],
  ]);
});

test.each([
  [3, 'ok'],
  [30, 'warn'],
])('%i networks are %s', async (count, verdict) => {
  const findings = await checkNetworks('unix:///x', async () => 'id\n'.repeat(count));
  expect(findings[0]).toMatchObject({ verdict, message: expect.stringContaining(`${count} networks`) });
});

async function temporary(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'ac-doctor-'));
  onTestFinished(() => rm(path, { recursive: true }));
  return path;
}

test('the state directory is checked without being made or changed', async () => {
  const base = await temporary();
  const directory = stateDirectoryAt(join(base, 'a', 'b'));
  expect(await checkStateDirectory(directory)).toMatchObject({
    verdict: 'ok',
    message: expect.stringContaining('first start'),
  });
  await expect(stat(directory.path)).rejects.toThrow('ENOENT');
  await prepareStateDirectory(directory);
  expect((await checkStateDirectory(directory)).verdict).toBe('ok');
  await chmod(directory.path, 0o755);
  expect(await checkStateDirectory(directory)).toMatchObject({
    verdict: 'warn',
    next: `Take their rights away: chmod 700 ${directory.path}`,
  });
});

test('a daemon that holds the directory but does not answer is a warning', async () => {
  const directory = stateDirectoryAt(await temporary());
  const client = createDaemonClient(directory.socket);
  expect((await checkDaemon(directory, client)).verdict).toBe('ok');
  const lock = await acquireInstanceLock(directory.lock);
  expect(await checkDaemon(directory, client)).toMatchObject({
    verdict: 'warn',
    message: expect.stringContaining(String(process.pid)),
  });
  await lock.release();
});

test('what the daemon uses is known while it runs, for the owner alone, and only then', async () => {
  const directory = stateDirectoryAt(await temporary());
  const lock = await acquireInstanceLock(directory.lock);
  const note = await noteEngineInUse(directory, { engine: 'unix:///engine.sock' });
  expect((await stat(directory.daemonNote)).mode & 0o777).toBe(0o600);
  expect(await engineInUse(directory)).toEqual({ engine: 'unix:///engine.sock' });
  await lock.release();
  // Left behind by a daemon that was killed, it says nothing.
  expect(await engineInUse(directory)).toBeUndefined();
  await note.remove();
  await expect(stat(directory.daemonNote)).rejects.toThrow('ENOENT');
});

describe('the engine of the daemon', () => {
  const found =
    (answering: readonly string[], search: string) =>
    async ({ dockerHost = search }: EngineFlags) =>
      answering.includes(dockerHost)
        ? { findings: [ok('engine', dockerHost)], address: dockerHost }
        : { findings: [fail('engine', dockerHost, 'Start it.')], address: undefined };

  async function check(answering: readonly string[], flags: EngineFlags, runs = true) {
    const directory = stateDirectoryAt(await temporary());
    const lock = await acquireInstanceLock(directory.lock);
    await noteEngineInUse(directory, { engine: 'unix:///used' });
    const client = { answers: async () => runs } as unknown as DaemonClient;
    const { findings, address } = await checkEngines(directory, client, flags, found(answering, 'unix:///search'));
    await lock.release();
    return { address, shown: findings.map(({ verdict, message }) => `${verdict} ${message}`) };
  }

  test('is looked at first, and what a search leads to is no failure beside it', async () => {
    expect(await check(['unix:///used'], {})).toEqual({
      address: 'unix:///used',
      shown: [
        'ok unix:///used (the daemon uses this one)',
        'note unix:///search (a daemon that is started now would use none)',
      ],
    });
  });

  test('is looked at once when the search leads to it', async () => {
    expect((await check(['unix:///used'], { dockerHost: 'unix:///used' })).shown).toEqual([
      'ok unix:///used (the daemon uses this one)',
    ]);
  });

  test('that does not answer fails, also when another one does', async () => {
    const { address, shown } = await check(['unix:///search'], {});
    expect(address).toBe('unix:///search');
    expect(shown[0]).toBe('fail unix:///used (the daemon uses this one)');
  });

  test('does not hide that the one that was asked for does not answer', async () => {
    expect((await check(['unix:///used'], { dockerHost: 'unix:///asked' })).shown[1]).toMatch(/^fail unix:...asked/);
  });

  test('says nothing when no daemon answers', async () => {
    expect((await check(['unix:///search'], {}, false)).shown).toEqual(['ok unix:///search']);
  });
});
