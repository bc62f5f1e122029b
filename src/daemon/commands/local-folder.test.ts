import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, realpath, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { writeLocal } from './local-files.ts';
import { type LocalFolder, openLocalFolder } from './local-folder.ts';

let here: string;
const opened: LocalFolder[] = [];
beforeEach(async () => {
  here = await realpath(await mkdtemp(join(tmpdir(), 'ac-folder-')));
  await mkdir(join(here, 'd/sub'), { recursive: true });
  await mkdir(join(here, 'outside/inner'), { recursive: true });
  await writeFile(join(here, 'd/sub/f'), 'mine');
  await writeFile(join(here, 'outside/f'), 'secret');
});
afterEach(async () => {
  for (const folder of opened.splice(0)) await folder.close();
  await rm(here, { recursive: true, force: true });
});

/** `d/sub` becomes a link that leads out of `d`. */
async function swap(): Promise<void> {
  await rename(join(here, 'd/sub'), join(here, 'd/old'));
  await symlink('../outside', join(here, 'd/sub'));
}

const WAYS: [string, boolean | undefined][] = [['checked paths', false]];
if (process.platform === 'linux') WAYS.push(['paths that begin at the open folder', undefined]);

describe.each(WAYS)('with %s', (_way, hasDescriptorPaths) => {
  async function open(path: string): Promise<LocalFolder> {
    const folder = await openLocalFolder(join(here, path), hasDescriptorPaths);
    opened.push(folder);
    return folder;
  }
  async function enter(folder: LocalFolder, name: string): Promise<LocalFolder> {
    const inner = await folder.enter(name);
    opened.push(inner);
    return inner;
  }

  test('files and folders in it are listed, read, made, written and replaced', async () => {
    const sub = await enter(await open('d'), 'sub');
    await sub.make('new', 0o755);
    await writeLocal(await enter(sub, 'new'), 'a', [Buffer.from('A')] as never, 0o644);
    await writeLocal(sub, 'f', [Buffer.from('other')] as never, 0o644);
    expect((await sub.names()).toSorted()).toEqual(['f', 'new']);
    expect(await readFile(join(here, 'd/sub/new/a'), 'utf8')).toBe('A');
    const file = await sub.open('f', constants.O_RDONLY);
    expect((await file.readFile()).toString()).toBe('other');
    await file.close();
    expect(await sub.statOf('missing')).toBeUndefined();
  });

  test('a link that a person named is followed, those in it are not', async () => {
    await symlink('d', join(here, 'way'));
    await symlink('../outside', join(here, 'd/link'));
    await symlink('../outside/f', join(here, 'd/file'));
    const folder = await open('way');
    await expect(folder.enter('link')).rejects.toMatchObject({ code: 'local-file-failed' });
    await expect(folder.open('file', constants.O_RDONLY)).rejects.toMatchObject({ code: 'local-file-failed' });
    expect((await folder.statOf('link'))?.isSymbolicLink()).toBe(true);
    await writeLocal(folder, 'file', [Buffer.from('x')] as never, 0o644);
    expect(await readFile(join(here, 'outside/f'), 'utf8')).toBe('secret');
  });

  test('nothing is written elsewhere when it is swapped while the content comes', async () => {
    const sub = await enter(await open('d'), 'sub');
    async function* content() {
      yield Buffer.from('ev');
      await swap();
      yield Buffer.from('il');
    }
    await writeLocal(sub, 'f', content(), 0o644).catch(() => {});
    expect(await readFile(join(here, 'outside/f'), 'utf8')).toBe('secret');
    expect((await readdir(join(here, 'outside'))).toSorted()).toEqual(['f', 'inner']);
  });

  test.each<[string, (sub: LocalFolder) => Promise<unknown>]>([
    ['listed', (sub) => sub.names()],
    ['written to', (sub) => writeLocal(sub, 'evil', [Buffer.from('x')] as never, 0o644)],
    ['given a folder', (sub) => sub.make('evil', 0o755)],
    ['searched', (sub) => enter(sub, 'inner')],
    ['looked at', (sub) => sub.statOf('inner')],
  ])('swapped before, the other one is not %s', async (_what, use) => {
    const sub = await enter(await open('d'), 'sub');
    await swap();
    const answer = await use(sub).catch(() => undefined);
    // Either it is refused, or it is the folder that was opened.
    expect(answer === undefined || (Array.isArray(answer) && answer.join() === 'f')).toBe(true);
    expect((await readdir(join(here, 'outside'))).toSorted()).toEqual(['f', 'inner']);
  });

  test('swapped before, a file of the other one is not read', async () => {
    const sub = await enter(await open('d'), 'sub');
    await swap();
    const file = await sub.open('f', constants.O_RDONLY).catch(() => undefined);
    const text = (await file?.readFile())?.toString();
    await file?.close();
    expect(text ?? 'mine').toBe('mine');
  });

  test('a pipe in place of a file keeps nobody waiting', async () => {
    await promisify(execFile)('mkfifo', [join(here, 'd/pipe')]);
    const folder = await open('d');
    const pipe = await folder.open('pipe', constants.O_RDONLY);
    expect((await pipe.stat()).isFile()).toBe(false);
    await pipe.close();
    await expect(writeLocal(folder, 'pipe', [Buffer.from('x')] as never, 0o644)).rejects.toThrow(
      'neither a file nor a folder',
    );
  });
});

test('what is no folder is refused', async () => {
  await expect(openLocalFolder(join(here, 'd/sub/f'))).rejects.toMatchObject({ code: 'local-file-failed' });
  await expect(openLocalFolder(join(here, 'missing'))).rejects.toThrow('ENOENT');
});
