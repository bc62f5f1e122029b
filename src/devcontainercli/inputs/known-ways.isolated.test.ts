import { lstat, mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fc, test } from '@fast-check/vitest';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { walkPath } from '../../files/walk-path.ts';
import { createKnownWays } from './known-ways.ts';

vi.mock('node:fs/promises', { spy: true });

let root: string;
beforeEach(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), 'known-ways-')));
});
afterEach(() => rm(root, { recursive: true, force: true }));

const looks = (): number => vi.mocked(lstat).mock.calls.length + vi.mocked(realpath).mock.calls.length;

describe('ways', () => {
  it('are looked at once for a directory and once for each file in it, whether it is there or not', async () => {
    await mkdir(join(root, 'a/b'), { recursive: true });
    await writeFile(join(root, 'a/b/one'), '');
    await writeFile(join(root, 'a/b/two'), '');
    vi.clearAllMocks();
    const ways = createKnownWays();
    const [one, two, none] = [join(root, 'a/b/one'), join(root, 'a/b/two'), join(root, 'a/b/none')];
    const directory = join(root, 'a/b');
    expect(await ways.to(one)).toEqual({ links: [], directory, isReal: true, isMissing: false });
    expect(await ways.to(two)).toEqual({ links: [], directory, isReal: true, isMissing: false });
    expect(await ways.to(none)).toEqual({ links: [], directory, isReal: false, isMissing: true });
    for (const path of [one, two, none]) await ways.to(path);
    expect(looks()).toBe(3);
  });

  it('are not remembered from one look to the next', async () => {
    await writeFile(join(root, 'file'), '');
    const path = join(root, 'link');
    await symlink('file', path);
    expect(await createKnownWays().to(path)).toMatchObject({ isReal: false, links: [{ directory: root }] });
    await rm(path);
    expect(await createKnownWays().to(path)).toMatchObject({ isReal: false, links: [] });
    await writeFile(path, '');
    expect(await createKnownWays().to(path)).toMatchObject({ isReal: true, links: [] });
  });

  const name = fc.constantFrom('a', 'b', 'c', '..');
  const path = fc.array(name, { minLength: 1, maxLength: 4 }).map((names) => names.join('/'));
  const entry = fc.record({ at: path, target: fc.option(path) });
  test.prop(
    { entries: fc.array(entry, { maxLength: 8 }), asked: fc.array(path, { minLength: 1, maxLength: 8 }) },
    {
      numRuns: 60,
    },
  )('lead where a walk by itself leads, whatever was asked before', async ({ entries, asked }) => {
    const base = await mkdtemp(join(root, 'case-'));
    for (const { at, target } of entries) {
      const place = join(base, 'r', join('/', at));
      await mkdir(join(place, '..'), { recursive: true }).catch(() => {});
      await (target === null ? mkdir(place) : symlink(target, place)).catch(() => {});
    }
    const ways = createKnownWays();
    for (const one of asked) {
      const place = resolve(base, 'r', join('/', one).slice(1));
      const { links, directory, isReal, isMissing } = await ways.to(place);
      expect({ links, directory }).toEqual(await walkPath(place));
      expect(isReal).toBe((await realpath(place).catch(() => undefined)) === place);
      if (isMissing) await expect(lstat(place)).rejects.toThrow('ENOENT');
    }
  });
});
