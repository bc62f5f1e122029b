import { chmod, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
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

test('the directory is made for its owner alone, and rights of others are taken away', async () => {
  const directory = stateDirectoryAt(join(base, 'a', 'b'));
  await prepareStateDirectory(directory);
  expect((await stat(directory.path)).mode & 0o777).toBe(0o700);
  expect((await stat(directory.logs)).mode & 0o777).toBe(0o700);
  await chmod(directory.path, 0o755);
  await prepareStateDirectory(directory);
  expect((await stat(directory.path)).mode & 0o777).toBe(0o700);
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
