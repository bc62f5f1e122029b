import { execFileSync } from 'node:child_process';
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, it } from 'vitest';

import { lockfilePath, lockfileUse } from './lockfile.ts';

let folder: string;
let config: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lockfile-'));
  config = join(folder, 'devcontainer.json');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

it('stands beside the configuration and has a dot when that has one', () => {
  expect(lockfilePath('/w/.devcontainer/devcontainer.json')).toBe('/w/.devcontainer/devcontainer-lock.json');
  expect(lockfilePath('/w/.devcontainer.json')).toBe('/w/.devcontainer-lock.json');
});

it.each([
  ['is there', '{}', 'frozen'],
  ['is empty, which would ask the CLI to fill it', ' \n', 'none'],
  ['is larger than is read', ' '.repeat(1024 * 1024 + 1), 'frozen'],
] as const)('counts when it %s', async (_, text, use) => {
  await writeFile(lockfilePath(config), text);
  expect(await lockfileUse(config)).toBe(use);
});

it('counts as none when there is none', async () => {
  expect(await lockfileUse(config)).toBe('none');
});

it('counts as none when it is a pipe, and does not wait for its writer', { timeout: 2_000 }, async () => {
  execFileSync('mkfifo', [lockfilePath(config)]);
  expect(await lockfileUse(config)).toBe('none');
});

it.each(['/dev/zero', '/dev/tty', '/'])('counts as none when it leads to %s', { timeout: 2_000 }, async (target) => {
  await symlink(target, lockfilePath(config));
  expect(await lockfileUse(config)).toBe('none');
});
