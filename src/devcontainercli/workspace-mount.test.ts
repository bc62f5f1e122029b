import { expect, it } from 'vitest';

import { field, workspaceMountOf } from './workspace-mount.ts';

const folder = '/home/me/repo/packages/app';
const root = '/home/me/repo';
const both = {
  workspaceFolder: '/workspaces/repo/packages/app',
  workspaceMount: 'type=bind,source=/home/me/repo,target=/workspaces/repo',
};

it.each([
  ['the root of a repository', {}, folder, root, both],
  ['a folder without one, as the CLI does itself', {}, folder, folder, {}],
  ['a compose configuration, which mounts by itself', { dockerComposeFile: 'x' }, folder, root, {}],
  [
    'a folder that the configuration names',
    { workspaceFolder: '/w' },
    folder,
    root,
    { workspaceMount: both.workspaceMount },
  ],
  [
    'a mount that the configuration names, be it empty',
    { workspaceMount: '' },
    folder,
    root,
    { workspaceFolder: both.workspaceFolder },
  ],
  ['a folder and a mount that it names', { workspaceFolder: '/w', workspaceMount: '' }, folder, root, {}],
  ['a path that the CLI would take for a variable', {}, '/r/${localEnv:HOME}/x', '/r/${localEnv:HOME}', {}],
  [
    'a path with a comma',
    {},
    '/r/a, b/x',
    '/r/a, b',
    {
      workspaceFolder: '/workspaces/a, b/x',
      workspaceMount: 'type=bind,"source=/r/a, b","target=/workspaces/a, b"',
    },
  ],
] as const)('mounts %s', (_, config, at, top, expected) => {
  expect(workspaceMountOf(config, at, top, 'linux')).toEqual(expected);
});

it('asks for a consistency where the CLI does', () => {
  expect(workspaceMountOf({}, folder, root, 'darwin').workspaceMount).toBe(`${both.workspaceMount},consistency=cached`);
});

it('quotes what would end a field', () => {
  expect(field('source', '/a')).toBe('source=/a');
  expect(field('source', '/a"b')).toBe('"source=/a""b"');
});
