import { expect, it } from 'vitest';

import { buildArguments, readConfigurationArguments, upArguments } from './cli-arguments.ts';

const key = { workspaceFolder: '/w', configPath: '/w/.devcontainer/devcontainer.json' };
const common = ['--workspace-folder', '/w', '--config', '/w/.devcontainer/devcontainer.json', '--log-format', 'json'];
const override = ['--override-config', '/o/devcontainer.json', '--mount-workspace-git-root=false'];
const omit = '--omit-config-remote-env-from-metadata';
const plain = { lockfile: 'none', mustExist: false, idLabels: [] } as const;

it.each([
  ['a plain up', plain, {}, [...override, '--no-lockfile', omit]],
  ['a start', { ...plain, mustExist: true }, {}, [...override, '--no-lockfile', omit, '--expect-existing-container']],
  ['a locked up', { ...plain, lockfile: 'frozen' }, {}, [...override, '--frozen-lockfile', omit]],
  [
    'labels, in their order',
    { ...plain, idLabels: ['a=1', 'b=2=3'] },
    {},
    [...override, '--no-lockfile', omit, '--id-label', 'a=1', '--id-label', 'b=2=3'],
  ],
  [
    'a folder that is kept',
    { ...plain, userDataFolder: '/state/x' },
    {},
    [...override, '--no-lockfile', omit, '--user-data-folder', '/state/x'],
  ],
  [
    'other executables',
    plain,
    { dockerPath: '/usr/bin/podman', composePath: '/opt/compose' },
    [
      ...['--docker-path', '/usr/bin/podman', '--docker-compose-path', '/opt/compose'],
      ...[...override, '--no-lockfile', omit],
    ],
  ],
] as const)('builds the arguments of %s', (_, request, executables, rest) => {
  const args = upArguments({ key, overrideConfig: '/o/devcontainer.json', ...request }, executables);
  expect(args).toEqual(['up', ...common, ...rest]);
});

it('builds the arguments of build, which has no override and runs no git', () => {
  expect(buildArguments({ key, lockfile: 'none' })).toEqual(['build', ...common, '--no-lockfile']);
  expect(buildArguments({ key, lockfile: 'frozen' }, { dockerPath: 'podman' })).toEqual([
    ...['build', ...common, '--docker-path', 'podman', '--frozen-lockfile'],
  ]);
});

it('builds the arguments of read-configuration with and without a container', () => {
  const request = { key, overrideConfig: '/o/devcontainer.json' };
  const expected = ['read-configuration', ...common, ...override, '--include-merged-configuration'];
  expect(readConfigurationArguments(request)).toEqual(expected);
  expect(readConfigurationArguments({ ...request, containerId: 'abc' })).toEqual([
    ...expected,
    '--container-id',
    'abc',
  ]);
});
