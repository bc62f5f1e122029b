import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, it } from 'vitest';

import { gitRootOf } from './git-root.ts';
import { ownUserId } from './process-group.ts';

let root: string;
beforeEach(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), 'git-root-')));
  await mkdir(join(root, 'a/b/c'), { recursive: true });
});
afterEach(() => rm(root, { recursive: true, force: true }));

const rootOf = (folder: string, userId = ownUserId()) => gitRootOf(join(root, folder), userId);

async function repository(path: string): Promise<void> {
  for (const name of ['objects', 'refs']) await mkdir(join(root, path, name), { recursive: true });
  await writeFile(join(root, path, 'HEAD'), 'ref: refs/heads/main\n');
}

it('is the folder where there is no repository, and where there is no folder', async () => {
  expect(await rootOf('a/b')).toBe(join(root, 'a/b'));
  expect(await rootOf('nowhere/b')).toBe(join(root, 'nowhere/b'));
});

it('is the nearest folder with a repository', async () => {
  await repository('.git');
  await repository('a/b/.git');
  expect(await rootOf('a')).toBe(root);
  expect(await rootOf('a/b')).toBe(join(root, 'a/b'));
  expect(await rootOf('a/b/c')).toBe(join(root, 'a/b'));
});

it('passes by what only looks like a repository', async () => {
  await repository('.git');
  await mkdir(join(root, 'a/.git/objects'), { recursive: true });
  expect(await rootOf('a/b')).toBe(root);
});

it.each([
  ['a working tree that is linked', 'gitdir: ../main/.git/worktrees/a\n', 'a'],
  ['a submodule', 'gitdir: ../modules/a', 'a'],
  ['a repository elsewhere that is gone', 'gitdir: ../gone', 'a/b'],
  ['what is no gitfile', 'nonsense', 'a/b'],
])('looks where a .git file leads: %s', async (_, text, expected) => {
  await mkdir(join(root, 'main/.git/worktrees/a'), { recursive: true });
  await writeFile(join(root, 'main/.git/worktrees/a/HEAD'), 'x');
  await writeFile(join(root, 'main/.git/worktrees/a/commondir'), '../..');
  await repository('modules/a');
  await repository('.git');
  await writeFile(join(root, 'a/.git'), text);
  expect(await rootOf('a/b')).toBe(join(root, expected));
});

it('follows a .git that is a symbolic link', async () => {
  await repository('elsewhere');
  await symlink(join(root, 'elsewhere'), join(root, 'a/.git'));
  expect(await rootOf('a/b')).toBe(join(root, 'a'));
  await rm(join(root, 'a/.git'));
  await symlink('/dev/null', join(root, 'a/.git'));
  expect(await rootOf('a/b')).toBe(join(root, 'a/b'));
});

it('is the folder within a repository of its own kind', async () => {
  await repository('a');
  expect(await rootOf('a/b')).toBe(join(root, 'a/b'));
});

it('does not let a repository of another user decide what is mounted', async () => {
  await repository('.git');
  expect(await rootOf('a', (ownUserId() ?? 0) + 1)).toBe(join(root, 'a'));
  expect(await gitRootOf(join(root, 'a'), undefined)).toBe(root);
});
