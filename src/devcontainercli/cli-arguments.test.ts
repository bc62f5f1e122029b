import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect, it } from 'vitest';

import { readConfigurationArguments, upArguments } from './cli-arguments.ts';
import { lockfilePath, lockfileUse } from './lockfile.ts';

const key = { workspaceFolder: '/w', configPath: '/w/.devcontainer/devcontainer.json' };
const common = ['--workspace-folder', '/w', '--config', '/w/.devcontainer/devcontainer.json', '--log-format', 'json'];

it.each([
  ['a plain up', { removeExisting: false, lockfile: 'none' }, {}, ['--no-lockfile']],
  ['a recreate', { removeExisting: true, lockfile: 'none' }, {}, ['--no-lockfile', '--remove-existing-container']],
  ['a locked up', { removeExisting: false, lockfile: 'frozen' }, {}, ['--frozen-lockfile']],
  [
    'other executables',
    { removeExisting: false, lockfile: 'none' },
    { dockerPath: '/usr/bin/podman', composePath: '/opt/compose' },
    ['--docker-path', '/usr/bin/podman', '--docker-compose-path', '/opt/compose', '--no-lockfile'],
  ],
] as const)('builds the arguments of %s', (_, request, executables, rest) => {
  expect(upArguments({ key, ...request }, executables)).toEqual(['up', ...common, ...rest]);
});

it('builds the arguments of read-configuration with and without a container', () => {
  const expected = ['read-configuration', ...common, '--include-merged-configuration'];
  expect(readConfigurationArguments({ key })).toEqual(expected);
  expect(readConfigurationArguments({ key, containerId: 'abc' })).toEqual([...expected, '--container-id', 'abc']);
});

it.each([
  ['/w/.devcontainer/devcontainer.json', '/w/.devcontainer/devcontainer-lock.json'],
  ['/w/.devcontainer.json', '/w/.devcontainer-lock.json'],
])('knows the lock file of %s', (config, lock) => {
  expect(lockfilePath(config)).toBe(lock);
});

it('uses a lock file with content only', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'lockfile-'));
  const config = join(folder, 'devcontainer.json');
  expect(await lockfileUse(config)).toBe('none');
  await writeFile(lockfilePath(config), ' \n');
  expect(await lockfileUse(config)).toBe('none');
  await writeFile(lockfilePath(config), '{ "features": {} }');
  expect(await lockfileUse(config)).toBe('frozen');
  await rm(folder, { recursive: true });
});
