import { createHash } from 'node:crypto';
import { chmod, lstat, mkdir, mkdtemp, readFile, readdir, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SubAgentBinary } from '../agentcontainers/ports.ts';
import { silentLogger } from '../logger.ts';
import { createFakeClock } from '../testing/fake-clock.ts';
import { createSubAgentStore } from './sub-agent-store.ts';

const DAY_MS = 86_400_000;
const clock = createFakeClock();
let folder: string;
let directory: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ac-store-'));
  directory = join(folder, 'state', 'sub-agents');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const store = () => createSubAgentStore(directory, clock, silentLogger);

async function executable(content: string, mode = 0o700): Promise<SubAgentBinary & { readonly fileName: string }> {
  const path = join(folder, 'agent');
  await writeFile(path, content);
  await chmod(path, mode);
  const sha256 = createHash('sha256').update(content).digest('hex');
  return { name: 'agent', path, sha256, fileName: `agent-${sha256.slice(0, 12)}` };
}
async function stage(binary: SubAgentBinary & { readonly fileName: string }, into = store()): Promise<string> {
  await into.stage(binary, binary.fileName);
  return join(directory, binary.fileName);
}

describe('the directory', () => {
  it('can be entered by everybody and changed by its owner, whatever it was, and keeps its time of birth', async () => {
    await mkdir(directory, { recursive: true });
    await chmod(directory, 0o700);
    const first = await store().prepare();
    expect((await lstat(directory)).mode & 0o7777).toBe(0o755);
    await stage(await executable('x'));
    expect(await store().prepare()).toEqual(first);
    expect(first.bornAt).toBeGreaterThan(0);
  });

  it('is named by its real path', async () => {
    await mkdir(join(folder, 'real'));
    await symlink(join(folder, 'real'), join(folder, 'state'));
    expect((await store().prepare()).path).toBe(join(folder, 'real', 'sub-agents'));
  });

  it('is made anew when somebody removed it', async () => {
    const one = store();
    const binary = await executable('x');
    await stage(binary, one);
    const before = await one.prepare();
    await rm(directory, { recursive: true });
    // So that the times differ.
    await new Promise((resolve) => setTimeout(resolve, 20));
    const path = await stage(binary, one);
    expect(await readFile(path, 'utf8')).toBe('x');
    expect((await one.prepare()).bornAt).toBeGreaterThan(before.bornAt);
  });
});

describe('an executable', () => {
  it('is copied once, can be run by everybody, and is not the original', async () => {
    const one = store();
    const binary = await executable('#!/bin/sh\n', 0o4711);
    const path = await stage(binary, one);
    const status = await lstat(path);
    expect(status.mode & 0o7777).toBe(0o755);
    expect(status.nlink).toBe(1);
    expect(await readFile(path, 'utf8')).toBe('#!/bin/sh\n');
    await stage(binary, one);
    await stage(binary);
    expect((await lstat(path)).ino).toBe(status.ino);
    expect(await readdir(directory)).toEqual([binary.fileName]);

    // What its owner does to the original does not reach it.
    await writeFile(binary.path, 'changed');
    expect(await readFile(path, 'utf8')).toBe('#!/bin/sh\n');
  });

  it('that is staged many times at once is copied once', async () => {
    const one = store();
    const binary = await executable('x'.repeat(1_000_000));
    const [first] = await Promise.all(Array.from({ length: 20 }, () => stage(binary, one)));
    expect(await readFile(first ?? '', 'utf8')).toHaveLength(1_000_000);
    expect(await readdir(directory)).toEqual([binary.fileName]);
  });

  it.each([
    ['has other content of the same size', (path: string) => writeFile(path, 'y')],
    ['is cut off', (path: string) => writeFile(path, '')],
    [
      'is a link',
      async (path: string) => {
        await rm(path);
        await symlink('/etc/hostname', path);
      },
    ],
  ])('that %s is replaced, not written to', async (_, damage) => {
    const one = store();
    const binary = await executable('x');
    const path = await stage(binary, one);
    await damage(path);
    const { ino } = await lstat(path);
    await stage(binary, one);
    expect(await readFile(path, 'utf8')).toBe('x');
    expect((await lstat(path)).ino).not.toBe(ino);
    expect((await lstat(path)).isFile()).toBe(true);
  });

  it('that nobody may run any more gets its rights back', async () => {
    const binary = await executable('x');
    const path = await stage(binary);
    await chmod(path, 0o600);
    await stage(binary);
    expect((await lstat(path)).mode & 0o7777).toBe(0o755);
  });

  it('that was changed after it was chosen is refused, and nothing is left of it', async () => {
    const binary = await executable('x');
    await writeFile(binary.path, 'y');
    await expect(stage(binary)).rejects.toThrow(`${binary.path} was changed since it was chosen`);
    expect(await readdir(directory)).toEqual([]);
    await expect(stage({ ...binary, path: join(folder, 'gone') })).rejects.toThrow(/ENOENT/);
    expect(await readdir(directory)).toEqual([]);
  });
});

describe('pruning', () => {
  it('takes what no daemon used for a week and what a killed one had begun, and nothing else', async () => {
    const old = (clock.now() - 8 * DAY_MS) / 1_000;
    const young = (clock.now() - 6 * DAY_MS) / 1_000;
    const { path: root } = await store().prepare();
    const digest = '0123456789ab';
    for (const [name, time] of [
      [`old-${digest}`, old],
      [`young-${digest}`, young],
      ['.stage-0011', young],
      ['.stage-0022', clock.now() / 1_000],
      ['not-ours', old],
    ] as const) {
      await writeFile(join(root, name), '');
      await utimes(join(root, name), time, time);
    }
    await mkdir(join(root, `directory-${digest}`));
    await utimes(join(root, `directory-${digest}`), old, old);
    const binary = await executable('x');
    await stage(binary);
    expect((await readdir(root)).toSorted()).toEqual(
      ['.stage-0022', binary.fileName, `directory-${digest}`, 'not-ours', `young-${digest}`].toSorted(),
    );
  });

  it('spares what is used now, however old it is', async () => {
    const one = store();
    const first = await executable('first');
    const path = await stage(first, one);
    await utimes(path, 1, 1);
    await stage(await executable('second'), one);
    expect(await readdir(directory)).toContain(first.fileName);

    // A daemon that uses it again says so to those to come.
    await utimes(path, 1, 1);
    await executable('first');
    await stage(first);
    await executable('third');
    await stage(await executable('third'));
    expect(await readdir(directory)).toContain(first.fileName);
  });
});
