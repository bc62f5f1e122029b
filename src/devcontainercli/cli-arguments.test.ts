import { expect, it } from 'vitest';

import { readConfigurationArguments, upArguments } from './cli-arguments.ts';

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
