import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, onTestFinished, test } from 'vitest';
import { acquireInstanceLock, lockHolder } from './instance-lock.ts';
import { identityOf, isAlive, type ProcessTable, systemProcessTable } from '../../process/process-identity.ts';

let directory: string;
let path: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'ac-lock-'));
  path = join(directory, 'lock');
});
afterEach(() => rm(directory, { recursive: true }));

const machine = (bootId: string, processes: Record<number, string>): ProcessTable => ({
  bootId: () => bootId,
  startTime: (pid) => processes[pid],
});

test('a second daemon is refused, with the process id of the first', async () => {
  const table = machine('b1', { 10: 't10', 11: 't11' });
  await acquireInstanceLock(path, { pid: 10, table });
  await expect(acquireInstanceLock(path, { pid: 11, table })).rejects.toMatchObject({
    code: 'state-locked',
    message: expect.stringContaining('kill 10'),
  });
  expect(await lockHolder(path, table)).toMatchObject({ pid: 10 });
});

test('after a release the directory is free, and nothing is left behind', async () => {
  const table = machine('b1', { 10: 't10', 11: 't11' });
  const lock = await acquireInstanceLock(path, { pid: 10, table });
  await lock.release();
  await lock.release();
  expect(await readdir(directory)).toEqual([]);
  await acquireInstanceLock(path, { pid: 11, table });
  expect(await readdir(directory)).toEqual(['lock']);
  expect((await stat(path)).mode & 0o777).toBe(0o600);
});

test.each([
  ['the process is gone', machine('b1', { 11: 't11' })],
  ['the machine was booted anew', machine('b2', { 10: 't10', 11: 't11' })],
  ['its process id went to another process', machine('b1', { 10: 'later', 11: 't11' })],
])('a lock is taken over when %s', async (_name, later) => {
  await acquireInstanceLock(path, { pid: 10, table: machine('b1', { 10: 't10' }) });
  expect(await lockHolder(path, later)).toBeUndefined();
  const lock = await acquireInstanceLock(path, { pid: 11, table: later });
  expect(lock.holder.pid).toBe(11);
  expect(await readdir(directory)).toEqual(['lock']);
});

test.each(['', '{"pid":', 'null', '{"pid":-1}'])('a lock with the content %j is stale', async (content) => {
  await writeFile(path, content);
  await acquireInstanceLock(path, { pid: 11, table: machine('b1', { 11: 't11' }) });
  expect(JSON.parse(await readFile(path, 'utf8'))).toMatchObject({ pid: 11 });
});

test('releasing after somebody else took over leaves their lock alone', async () => {
  const old = await acquireInstanceLock(path, { pid: 10, table: machine('b1', { 10: 't10' }) });
  await acquireInstanceLock(path, { pid: 11, table: machine('b1', { 11: 't11' }) });
  await old.release();
  expect(await lockHolder(path, machine('b1', { 11: 't11' }))).toMatchObject({ pid: 11 });
});

test('of many who find a stale lock at once exactly one gets it', async () => {
  for (let round = 0; round < 20; round++) {
    await writeFile(path, JSON.stringify({ pid: 1, bootId: 'old', startTime: 'x', nonce: 'n' }));
    const table = machine('b1', Object.fromEntries(Array.from({ length: 8 }, (_, i) => [i + 10, `t${i}`])));
    const results = await Promise.allSettled(
      Array.from({ length: 8 }, (_, i) => acquireInstanceLock(path, { pid: i + 10, table })),
    );
    const won = results.filter((result) => result.status === 'fulfilled');
    expect(won).toHaveLength(1);
    await won[0]?.value.release();
    expect(await readdir(directory)).toEqual([]);
  }
});

test('the real process table knows this process and no process beyond the last id', () => {
  const own = identityOf(process.pid);
  expect(isAlive(own)).toBe(true);
  expect(isAlive({ ...own, startTime: 'another' })).toBe(false);
  expect(systemProcessTable.startTime(2 ** 22 + 1)).toBeUndefined();
});

test.skipIf(process.platform !== 'linux')(
  'a process that has ended counts as gone, also while its parent has not noticed',
  async () => {
    // The shell becomes a program that does not know of the child that it had.
    const parent = spawn('sh', ['-c', 'sh -c "echo \\$\\$; exec sleep 60" & exec sleep 60'], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    onTestFinished(() => void parent.kill('SIGKILL'));
    const [line] = (await once(parent.stdout, 'data')) as [Buffer];
    const pid = Number(line.toString());
    const identity = identityOf(pid);
    expect(isAlive(identity)).toBe(true);
    process.kill(pid, 'SIGKILL');
    await expect.poll(() => readFile(`/proc/${pid}/stat`, 'utf8')).toMatch(/\) [ZX] /);
    expect(isAlive(identity)).toBe(false);
  },
);

test('a lock that cannot be written says why and what to do', async () => {
  const gone = join(directory, 'gone', 'lock');
  await expect(acquireInstanceLock(gone)).rejects.toMatchObject({
    code: 'state-unreadable',
    message: expect.stringMatching(/^Taking the lock .*gone.lock failed: ENOENT.*--state-dir/),
  });
});

test('a take-over that was killed half way holds up nobody', async () => {
  const stale = JSON.stringify({ pid: 1, bootId: 'old', startTime: 'x', nonce: 'n' });
  await writeFile(path, stale);
  await writeFile(`${path}.takeover`, stale);
  const lock = await acquireInstanceLock(path, { pid: 11, table: machine('b1', { 11: 't11' }) });
  expect(lock.holder.pid).toBe(11);
  expect(await readdir(directory)).toEqual(['lock']);
});
