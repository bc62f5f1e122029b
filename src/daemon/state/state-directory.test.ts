import { chmod, chown, mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { defaultStateDirectory, prepareStateDirectory, stateDirectoryAt } from './state-directory.ts';

let base: string;
beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'ac-dir-'));
});
afterEach(() => rm(base, { recursive: true }));

test('the default lies under the state home, and a relative XDG_STATE_HOME does not count', () => {
  expect(defaultStateDirectory({ XDG_STATE_HOME: '/s' }, '/h')).toBe('/s/agentcontainers');
  expect(defaultStateDirectory({ XDG_STATE_HOME: 's' }, '/h')).toBe('/h/.local/state/agentcontainers');
  expect(defaultStateDirectory({}, '/h')).toBe('/h/.local/state/agentcontainers');
});

test('the directory is made for its owner alone, and used again', async () => {
  const directory = stateDirectoryAt(join(base, 'a', 'b'));
  await prepareStateDirectory(directory);
  expect((await stat(directory.path)).mode & 0o777).toBe(0o700);
  expect((await stat(directory.logs)).mode & 0o777).toBe(0o700);
  expect((await stat(directory.subAgents)).isDirectory()).toBe(true);
  await writeFile(directory.state, '{}');
  await prepareStateDirectory(directory);
});

test('an empty directory of this user is taken', async () => {
  const directory = stateDirectoryAt(join(base, 'empty'));
  await mkdir(directory.path, { mode: 0o755 });
  await prepareStateDirectory(directory);
  expect((await stat(directory.path)).mode & 0o777).toBe(0o700);
});

test('a directory that others use or could change is refused with the next step, and left as it is', async () => {
  const open = join(base, 'open');
  await mkdir(open);
  await writeFile(join(open, 'file'), '');
  await chmod(open, 0o755);
  await expect(prepareStateDirectory(stateDirectoryAt(open))).rejects.toMatchObject({
    code: 'state-unreadable',
    message: expect.stringMatching(/open to others.*chmod 700 .*--state-dir/),
  });
  expect((await stat(open)).mode & 0o777).toBe(0o755);
  expect(await readdir(open)).toEqual(['file']);

  const shared = join(base, 'shared');
  await mkdir(shared);
  await chmod(shared, 0o1777);
  await expect(prepareStateDirectory(stateDirectoryAt(shared))).rejects.toMatchObject({ code: 'state-unreadable' });
  expect((await stat(shared)).mode & 0o7777).toBe(0o1777);
});

test.skipIf(process.getuid?.() !== 0)('a directory of another user is refused, also for root', async () => {
  const foreign = join(base, 'foreign');
  await mkdir(foreign, { mode: 0o700 });
  await chown(foreign, 12_345, 12_345);
  await expect(prepareStateDirectory(stateDirectoryAt(foreign))).rejects.toThrow('belongs to another user');
  expect(await readdir(foreign)).toEqual([]);
});

test('a path that is a file is refused with the next step', async () => {
  await writeFile(join(base, 'file'), '');
  await expect(prepareStateDirectory(stateDirectoryAt(join(base, 'file')))).rejects.toThrow('with --state-dir');
});

test('a socket path that no system takes is refused before anything is made', async () => {
  const directory = stateDirectoryAt(join(base, 'x'.repeat(120)));
  await expect(prepareStateDirectory(directory)).rejects.toThrow('shorter one with --socket');
  await expect(stat(directory.path)).rejects.toThrow('ENOENT');
});
