import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, it } from 'vitest';

import { composeAddition, composeFilesOf, composeVersionOf } from './compose-addition.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'compose-addition-'));
  await mkdir(join(folder, '.devcontainer'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const key = () => ({ workspaceFolder: folder, configPath: join(folder, '.devcontainer/devcontainer.json') });

it('adds labels and read-only mounts to one service, with nothing for compose to fill in', () => {
  const mounts = [
    { source: '/s/$HOME', target: '/x' },
    { source: '/with:colon', target: '/y' },
  ];
  expect(JSON.parse(composeAddition('main', '3.7', { a: '${HOME}' }, mounts))).toEqual({
    version: '3.7',
    services: { main: { labels: { a: '$${HOME}' }, volumes: ['/s/$$HOME:/x:ro'] } },
  });
  expect(composeAddition('__proto__', undefined, {}, [])).toBe('{"services":{"__proto__":{"labels":{},"volumes":[]}}}');
});

it.each([
  ['one file', 'a.yml', ['a.yml']],
  ['several', ['a.yml', '../${localEnv:X}.yml'], ['a.yml', '../${localEnv:X}.yml']],
])('keeps %s as the configuration names them', async (_, dockerComposeFile, expected) => {
  expect(await composeFilesOf({ dockerComposeFile }, key())).toEqual(expected);
});

it('finds the files of the workspace when the configuration names none', async () => {
  const files = () => composeFilesOf({ dockerComposeFile: [] }, key());
  expect(await files()).toEqual([join(folder, 'docker-compose.yml')]);
  await writeFile(join(folder, 'docker-compose.override.yml'), '');
  expect(await files()).toEqual([join(folder, 'docker-compose.yml'), join(folder, 'docker-compose.override.yml')]);
  await writeFile(join(folder, '.env'), 'X=1\nCOMPOSE_FILE= a.yml:sub/b.yml \n');
  expect(await files()).toEqual([join(folder, 'a.yml'), join(folder, 'sub/b.yml')]);
});

it.each([
  ['version: "3.7"\nservices: {}\n', '3.7'],
  ["# a\n  version: '2.1'  # b\n", '2.1'],
  ['version: 3\n', '3'],
  ['services: {}\n', undefined],
  ['version: ${VERSION}\n', undefined],
])('reads the version of %j', async (text, version) => {
  await writeFile(join(folder, '.devcontainer/a.yml'), text);
  expect(await composeVersionOf(['a.yml', 'b.yml'], key(), {})).toBe(version);
});

it('finds the first file also through variables, and knows no version of one that is not there', async () => {
  await writeFile(join(folder, 'a.yml'), 'version: "3.8"\n');
  for (const path of [
    '${localWorkspaceFolder}/a.yml',
    '../${localEnv:NAME}.yml',
    '../${localEnv:OTHER:a}.yml',
    '../a.yml',
  ]) {
    expect(await composeVersionOf([path], key(), { NAME: 'a' })).toBe('3.8');
  }
  expect(await composeVersionOf(['nowhere.yml'], key(), {})).toBeUndefined();
  expect(await composeVersionOf([], key(), {})).toBeUndefined();
});

it.each([
  ['line feeds', '\n'.repeat(1_000_000)],
  ['white space', ' \t'.repeat(500_000)],
  ['versions', 'version:  \n'.repeat(90_000)],
])(
  'reads no version from a file of %s, in bounded time',
  async (_, text) => {
    await writeFile(join(folder, '.devcontainer/a.yml'), text);
    expect(await composeVersionOf(['a.yml'], key(), {})).toBeUndefined();
  },
  10_000,
);

it('takes no time for a path of beginnings of variables', async () => {
  expect(await composeVersionOf(['${'.repeat(500_000)], key(), {})).toBeUndefined();
}, 10_000);
