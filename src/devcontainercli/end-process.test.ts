import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, it, vi } from 'vitest';

import { fastClock } from '../../test/support/fast-clock.ts';
import { systemClock } from '../clock/system-clock.ts';
import { cancelled } from '../errors.ts';
import { systemProcessTable } from '../process/process-identity.ts';
import { endProcess, identityOfRun, runMark } from './end-process.ts';
import { groupAlive } from './process-group.ts';

/** Far above what it takes, for a busy machine. */
const WITHIN = { timeout: 30_000 };

const never = new AbortController().signal;

let folder: string;
const children: ChildProcess[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'end-process-'));
});
afterEach(async () => {
  for (const child of children.splice(0)) {
    try {
      process.kill(-(child.pid ?? Number.NaN), 'SIGKILL');
    } catch {
      // It has ended.
    }
  }
  await rm(folder, { recursive: true, force: true });
});

/** A shell that leads a group of its own, as the CLI does. */
function start(script: string, run: string, env: Record<string, string> = runMark(run)): number {
  const child = spawn('/bin/sh', ['-c', script], {
    detached: true,
    stdio: 'ignore',
    env: { PATH: '/usr/bin:/bin', FOLDER: folder, ...env },
  });
  children.push(child);
  if (child.pid === undefined) throw new Error('not started');
  return child.pid;
}

const written = (name: string) => vi.waitFor(() => readFile(join(folder, name), 'utf8'), WITHIN);
const end = (identity: { pid: number; startedAt: string }, signal = never) => endProcess(identity, fastClock, signal);

it('ends a group, also one that does not listen', async () => {
  const polite = identityOfRun(start('sleep 100', 'a'), 'a');
  await end(polite);
  expect(groupAlive(polite.pid)).toBe(false);
  const deaf = identityOfRun(start('trap "" TERM; touch $FOLDER/deaf; while :; do sleep 0.1; done', 'b'), 'b');
  await written('deaf');
  await end(deaf);
  expect(groupAlive(deaf.pid)).toBe(false);
});

it('ends what a leader that has ended left behind, by the mark of its run', async () => {
  const pid = start('sleep 100 & sleep 100 & echo ready > $FOLDER/ready; sleep 0.2', 'a');
  const identity = identityOfRun(pid, 'a');
  await written('ready');
  await vi.waitFor(() => expect(systemProcessTable.startTime(pid)).toBeUndefined(), WITHIN);
  expect(groupAlive(pid)).toBe(true);
  // One who has the number but another run.
  await end({ pid, startedAt: identity.startedAt.replace('"a"', '"other"') });
  expect(groupAlive(pid)).toBe(true);
  await end(identity);
  expect(groupAlive(pid)).toBe(false);
});

it.each([
  ['of another start', (text: string) => text.replace(/"(\d+)"/, '"1"')],
  ['of another boot', (text: string) => text.replace(/^\["[^"]*"/, '["other"')],
  ['that cannot be read', () => 'nonsense'],
  ['of another shape', () => '["a"]'],
])('leaves a process %s alone', async (_, change) => {
  const pid = start('sleep 100', 'a', {});
  const { startedAt } = identityOfRun(pid, 'a');
  expect(change(startedAt)).not.toBe(startedAt);
  await end({ pid, startedAt: change(startedAt) });
  expect(groupAlive(pid)).toBe(true);
});

it.each([0, 1, -1, Number.NaN, 1.5])('never sends anything to %d', async (pid) => {
  const kill = vi.spyOn(process, 'kill');
  const { startedAt } = identityOfRun(process.pid, 'a');
  await end({ pid, startedAt });
  expect(kill).not.toHaveBeenCalled();
  kill.mockRestore();
});

it('takes gone for done', async () => {
  const pid = start('exit 0', 'a');
  const identity = identityOfRun(pid, 'a');
  await vi.waitFor(() => expect(groupAlive(pid)).toBe(false), WITHIN);
  await end(identity);
});

it('can be cancelled, before and while it waits', async () => {
  const pid = start('trap "" TERM; touch $FOLDER/deaf; while :; do sleep 0.1; done', 'a');
  const identity = identityOfRun(pid, 'a');
  await written('deaf');
  const before = new AbortController();
  before.abort(cancelled('closing'));
  await expect(end(identity, before.signal)).rejects.toMatchObject({ code: 'cancelled' });
  const during = new AbortController();
  const ending = endProcess(identity, systemClock, during.signal);
  during.abort(cancelled('closing'));
  await expect(ending).rejects.toMatchObject({ code: 'cancelled' });
  expect(groupAlive(pid)).toBe(true);
});
