import { chmod, mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { createDaemonClient } from '../client/client.ts';
import { acquireInstanceLock } from '../state/instance-lock.ts';
import { prepareStateDirectory, stateDirectoryAt } from '../state/state-directory.ts';
import { checkClients, checkNetworks } from './check-clients.ts';
import { checkInotify, checkNode } from './check-machine.ts';
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
