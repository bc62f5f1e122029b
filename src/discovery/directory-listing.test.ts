import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { listDirectory } from './directory-listing.ts';

let folder: string;
beforeEach(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'directory-listing-')));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const NOTHING = {
  directories: [],
  isProject: false,
  mayHoldConfigs: false,
  hasIgnoreFile: false,
  isTruncated: false,
};

describe('a listing', () => {
  it('tells what matters, and no links', async () => {
    expect(await listDirectory(folder, 100)).toEqual(NOTHING);
    for (const name of ['b', 'a', '.git', 'node_modules', '.devcontainer', '.hidden']) await mkdir(join(folder, name));
    await writeFile(join(folder, 'file'), '');
    await writeFile(join(folder, '.gitignore'), '');
    await symlink('a', join(folder, 'link'));
    expect(await listDirectory(folder, 100)).toEqual({
      directories: ['.hidden', 'a', 'b'],
      isProject: true,
      mayHoldConfigs: true,
      hasIgnoreFile: true,
      isTruncated: false,
    });
  });

  it.each([1, 3, 50, 200])('of at most %d entries tells the names that matter all the same', async (max) => {
    for (let file = 0; file < 100; file++) await mkdir(join(folder, `d${file}`));
    for (const name of ['.git', '.gitignore', '.devcontainer.json']) await writeFile(join(folder, name), '');
    const { directories, ...rest } = await listDirectory(folder, max);
    expect(rest).toEqual({
      isProject: true,
      mayHoldConfigs: true,
      hasIgnoreFile: true,
      isTruncated: max < 103,
    });
    expect(directories.length).toBeLessThanOrEqual(max);
    if (max > 103) expect(directories).toHaveLength(100);
  });

  it('of exactly as many entries as may be is whole', async () => {
    for (const name of ['a', 'b', 'c']) await mkdir(join(folder, name));
    expect(await listDirectory(folder, 3)).toEqual({ ...NOTHING, directories: ['a', 'b', 'c'] });
    expect((await listDirectory(folder, 2)).isTruncated).toBe(true);
  });

  it('of a link, a file or nothing fails', async () => {
    await mkdir(join(folder, 'a'));
    await symlink('a', join(folder, 'link'));
    await writeFile(join(folder, 'file'), '');
    for (const name of ['link', 'file'])
      await expect(listDirectory(join(folder, name), 10)).rejects.toMatchObject({ code: 'ENOTDIR' });
    await expect(listDirectory(join(folder, 'missing'), 10)).rejects.toMatchObject({ code: 'ENOENT' });
  });
});
