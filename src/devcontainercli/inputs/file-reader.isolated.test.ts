import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmod,
  mkdtemp,
  open,
  realpath as lookUp,
  rename,
  rm,
  stat,
  symlink,
  truncate,
  utimes,
  writeFile,
} from 'node:fs/promises';
import type * as fsPromises from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Clock } from '../../clock/clock.ts';
import { systemClock } from '../../clock/system-clock.ts';
import { createFileReader } from './file-reader.ts';

vi.mock('node:fs/promises', { spy: true });

type FsPromises = typeof fsPromises;

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
const later = (ms: number): Clock => ({ ...systemClock, now: () => systemClock.now() + ms });

let root: string;
beforeEach(async () => {
  root = await lookUp(await mkdtemp(join(tmpdir(), 'file-reader-')));
  vi.mocked(open).mockClear();
});
afterEach(() => rm(root, { recursive: true, force: true }));

describe('a file', () => {
  it('is hashed and read', async () => {
    const path = join(root, 'file');
    await writeFile(path, 'text');
    await utimes(path, 1_000, 1_000);
    const reader = createFileReader(systemClock);
    const identity = expect.any(String);
    const hash = { kind: 'file', sha256: sha256('text'), executable: false, size: 4, modifiedAt: 1_000_000, identity };
    expect(await reader.hash(path, 4)).toEqual(hash);
    expect(await reader.read(path, 4)).toEqual({ ...hash, bytes: Buffer.from('text'), realPath: path });
    await chmod(path, 0o755);
    expect(await reader.hash(path, 4)).toMatchObject({ executable: true });
    expect(await reader.hash(path, 3)).toEqual({ kind: 'too-large' });
  });

  it('larger than one chunk is read whole', async () => {
    const text = 'x'.repeat(300_001);
    await writeFile(join(root, 'file'), text);
    const reader = createFileReader(systemClock);
    expect(await reader.hash(join(root, 'file'), 300_001)).toMatchObject({ sha256: sha256(text) });
    expect(await reader.read(join(root, 'file'), 300_001)).toMatchObject({ sha256: sha256(text), size: 300_001 });
  });

  it('that a link leads to says where it really is', async () => {
    await writeFile(join(root, 'file'), 'x');
    await symlink('file', join(root, 'link'));
    expect(await createFileReader(systemClock).read(join(root, 'link'), 1)).toMatchObject({
      realPath: join(root, 'file'),
    });
  });
});

it.each([
  ['that is not there', 'gone', 'missing'],
  ['below a file', 'file/x', 'missing'],
  ['that is a directory', '.', 'not-regular'],
  ['that is a pipe', 'pipe', 'not-regular'],
  ['that leads to a device', 'zero', 'not-regular'],
  ['that leads to a file of the kernel', 'environ', 'not-regular'],
  ['whose links go in a circle', 'loop', 'unreadable'],
])('a path %s holds nothing, and is not waited for', async (_what, name, kind) => {
  await writeFile(join(root, 'file'), 'x');
  execFileSync('mkfifo', [join(root, 'pipe')]);
  await symlink('/dev/zero', join(root, 'zero'));
  await symlink('/proc/self/environ', join(root, 'environ'));
  await symlink('loop', join(root, 'loop'));
  const reader = createFileReader(systemClock);
  expect(await reader.hash(join(root, name), 100)).toEqual({ kind });
  expect(await reader.read(join(root, name), 100)).toEqual({ kind });
});

describe('a path that is its own real path, as far as is known', () => {
  const known = { isReal: true };

  it('is not looked up again', async () => {
    await writeFile(join(root, 'file'), 'text');
    vi.mocked(lookUp).mockClear();
    const reader = createFileReader(systemClock);
    expect(await reader.read(join(root, 'file'), 4, known)).toMatchObject({ realPath: join(root, 'file') });
    expect(await reader.hash(join(root, 'file'), 4, known)).toMatchObject({ sha256: sha256('text') });
    expect(lookUp).not.toHaveBeenCalled();
  });

  it('is not read when a link to a file of the kernel took its place meanwhile', async () => {
    await symlink('/proc/self/environ', join(root, 'file'));
    const reader = createFileReader(systemClock);
    expect(await reader.read(join(root, 'file'), 100_000, known)).toEqual({ kind: 'not-regular' });
    expect(await reader.hash(join(root, 'file'), 100_000, known)).toEqual({ kind: 'not-regular' });
  });
});

it('a file whose place a link to a file of the kernel takes just before it is opened is not read', async () => {
  const path = join(root, 'file');
  const reader = createFileReader(systemClock);
  const { open: reallyOpen } = await vi.importActual<FsPromises>('node:fs/promises');
  for (const look of [() => reader.read(path, 100_000), () => reader.hash(path, 100_000)]) {
    await writeFile(path, 'text');
    vi.mocked(open).mockImplementationOnce(async (...args) => {
      await rm(path);
      await symlink('/proc/self/environ', path);
      return reallyOpen(...args);
    });
    expect(await look()).toEqual({ kind: 'not-regular' });
    await rm(path);
  }
  expect(open).toHaveBeenCalledTimes(2);
});

describe('a hash', () => {
  it('is remembered for a file that did not change for a while', async () => {
    const path = join(root, 'file');
    await writeFile(path, 'one');
    const reader = createFileReader(later(10_000));
    const first = await reader.hash(path, 10);
    expect(await reader.hash(path, 10)).toEqual(first);
    expect(open).toHaveBeenCalledTimes(1);
    // It follows the file, not its path.
    await rename(path, join(root, 'moved'));
    expect(await reader.hash(join(root, 'moved'), 10)).toMatchObject({ sha256: sha256('one') });
  });

  it('is not remembered of a file that changed just now: it can change again with the same times', async () => {
    const path = join(root, 'file');
    await writeFile(path, 'one');
    const { ctimeMs } = await stat(path);
    const at = (ms: number): Clock => ({ ...systemClock, now: () => ctimeMs + ms });
    const [soon, late] = [createFileReader(at(1_900)), createFileReader(at(2_100))];
    for (const reader of [soon, soon, late, late]) await reader.hash(path, 10);
    expect(open).toHaveBeenCalledTimes(3);
  });

  it('is another one after a change that keeps size and modification time', async () => {
    const path = join(root, 'file');
    await writeFile(path, 'one');
    await utimes(path, 1_000, 1_000);
    const reader = createFileReader(later(10_000));
    expect(await reader.hash(path, 10)).toMatchObject({ sha256: sha256('one') });
    await new Promise((resolve) => setTimeout(resolve, 50));
    await writeFile(path, 'two');
    await utimes(path, 1_000, 1_000);
    expect(await reader.hash(path, 10)).toMatchObject({ sha256: sha256('two') });
    await truncate(path, 1);
    expect(await reader.hash(path, 10)).toMatchObject({ sha256: sha256('t') });
  });
});
