import { mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readIgnoreFile, readInfoExclude, readUserExcludes } from './git-files.ts';

let home: string;
beforeEach(async () => {
  home = await realpath(await mkdtemp(join(tmpdir(), 'git-files-')));
});
afterEach(() => rm(home, { recursive: true, force: true }));

async function write(path: string, text: string): Promise<void> {
  await mkdir(dirname(join(home, path)), { recursive: true });
  await writeFile(join(home, path), text);
}

describe('the excludes file of the user', () => {
  it('is the one in their configuration directory', async () => {
    expect(await readUserExcludes(home)).toBeUndefined();
    await write('.config/git/ignore', 'default');
    expect(await readUserExcludes(home)).toBe('default');
    await write('xdg/git/ignore', 'xdg');
    expect(await readUserExcludes(home, join(home, 'xdg'))).toBe('xdg');
    // A relative one does not count, by the same specification.
    expect(await readUserExcludes(home, 'xdg')).toBe('default');
  });

  it.each([
    ['[core]\n\texcludesFile = ~/mine\n', 'mine'],
    ['[user]\nname = x\n[Core]\n  excludesfile=~/mine ; a comment\n', 'mine'],
    ['[core] excludesfile = "~/with # space" # comment\n', 'space'],
    // An unquoted # begins a comment, so that this names a file that is not there.
    ['[core]\nexcludesFile = ~/mine\nexcludesFile = HOME/with # space\n', undefined],
    ['[core]\nexcludesFile = "HOME/with # space"\r\n', 'space'],
    ['[core]\nexcludesFile = ~/missing\n', undefined],
    ['[core]\nexcludesFile =\n', 'default'],
    ['[core]\nexcludesFile = relative/path\n', 'default'],
    ['[core "other"]\nexcludesFile = ~/mine\n', 'default'],
    ['[other]\nexcludesFile = ~/mine\n', 'default'],
    ['# [core]\n;excludesFile = ~/mine\n', 'default'],
    ['not an ini file at all \u0000', 'default'],
  ])('is the one that their settings name: %j', async (settings, expected) => {
    await write('.config/git/ignore', 'default');
    await write('mine', 'mine');
    await write('with # space', 'space');
    await write('.gitconfig', settings.replaceAll('HOME', home));
    expect(await readUserExcludes(home)).toBe(expected);
  });
});

describe('info/exclude', () => {
  it.each(['gitdir: ', 'gitdir: \n', 'gitdir: /dev/zero\n', 'nothing', 'gitdir: a\nb\n'])(
    'is that of no repository where .git says %j',
    async (pointer) => {
      await write('p/.git', pointer);
      expect(await readInfoExclude(join(home, 'p'))).toBeUndefined();
    },
  );

  it('is read of a repository that is elsewhere', async () => {
    await write('p/.git', 'gitdir: ../store\n');
    await write('store/info/exclude', 'x');
    expect(await readInfoExclude(join(home, 'p'))).toBe('x');
  });
});

it('what is no file is no ignore file', async () => {
  expect(await readIgnoreFile(home)).toBeUndefined();
  expect(await readIgnoreFile('/dev/zero')).toBeUndefined();
  expect(await readIgnoreFile(join(home, 'missing'))).toBeUndefined();
});
