import { mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { listTree, type Tree } from './list-tree.ts';

let root: string;
beforeAll(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), 'list-tree-')));
  await mkdir(join(root, 'below'));
  for (let i = 0; i < 40; i++) await writeFile(join(root, i < 20 ? '.' : 'below', `f${10 + i}`), '');
});
afterAll(() => rm(root, { recursive: true, force: true }));

async function list(effortOfName: number, effort: number): Promise<{ tree: Tree; asked: number; left: number }> {
  let asked = 0;
  const left = { left: effort };
  const wants = (): boolean => {
    asked++;
    return true;
  };
  const tree = await listTree(root, { wants, maxFiles: 100, entries: { left: 100 }, effort: left, effortOfName });
  return { tree, asked, left: left.left };
}

it('asks about each name while it may, and takes what that takes off', async () => {
  const { tree, asked, left } = await list(10, 100_000);
  expect(tree).toMatchObject({ isCut: false, directories: [root, join(root, 'below')] });
  expect(tree.files).toHaveLength(40);
  expect(asked).toBe(41);
  // 20 names of 3 characters, one of 5, 20 of 9.
  expect(left).toBe(100_000 - 10 * (60 + 5 + 180));
});

it('asks no more when it would take too much', async () => {
  const { tree, asked } = await list(1_000, 10_000);
  expect(tree).toEqual({ files: [], directories: [root], isCut: true });
  expect(asked).toBeLessThanOrEqual(4);
});
