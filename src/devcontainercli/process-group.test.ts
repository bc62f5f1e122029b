import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import type { Clock } from '../clock/clock.ts';
import { FACTOR, fastClock } from '../../test/support/fast-clock.ts';
import { TERM_GRACE_MS } from './end-in-steps.ts';
import { groupAlive, nodeExecutable, runProcessGroup } from './process-group.ts';

/** Far above what it takes, for a busy machine. */
const WITHIN = { timeout: 30_000 };

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'process-group-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

function run(
  file: string,
  args: string[],
  signal: AbortSignal = new AbortController().signal,
  clock: Clock = fastClock,
) {
  let stdout = '';
  let stderr = '';
  const exit = runProcessGroup({
    file,
    args,
    env: { PATH: '/usr/bin:/bin', FOLDER: folder },
    onStdout: (chunk) => void (stdout += chunk),
    onStderr: (chunk) => void (stderr += chunk),
    clock,
    signal,
  });
  return { exit, output: () => ({ stdout, stderr }) };
}

const shell = (script: string, signal?: AbortSignal) => run('/bin/sh', ['-c', script], signal);

/** Waits for a shell to write its process id. */
async function pidIn(name: string): Promise<number> {
  return vi.waitFor(async () => {
    const pid = Number(await readFile(join(folder, name), 'utf8'));
    expect(pid).toBeGreaterThan(1);
    return pid;
  }, WITHIN);
}

it('gives exit code and both streams, with characters that were cut in two', async () => {
  const script =
    'process.stdout.write(Buffer.from([0xc3]), () => setTimeout(() => process.stdout.write(Buffer.from([0xa4])), 20)); console.error("e"); process.exitCode = 3';
  const { exit, output } = run(nodeExecutable, ['-e', script]);
  expect(await exit).toEqual({ exitCode: 3, signal: null });
  expect(output()).toEqual({ stdout: 'ä', stderr: 'e\n' });
});

it('tells the signal that ended it', async () => {
  expect(await shell('kill -9 $$').exit).toEqual({ exitCode: null, signal: 'SIGKILL' });
});

it('has the given environment only', async () => {
  const { exit, output } = shell('env');
  await exit;
  expect(output().stdout).toContain(`FOLDER=${folder}`);
  expect(output().stdout).not.toContain('VITEST');
});

it('rejects when there is no such program', async () => {
  await expect(run('/no/such/program', []).exit).rejects.toMatchObject({ code: 'ENOENT' });
});

it('rejects when this process has no file descriptors left, and stays alive', async () => {
  // In a process of its own, which may be short of them.
  const script = `
    import { openSync } from 'node:fs';
    import { runnerImport } from 'vite';
    const { module } = await runnerImport(${JSON.stringify(join(import.meta.dirname, 'process-group.ts'))});
    const clock = { now: Date.now, afterFunc() {}, tickerFunc() {} };
    const noop = () => {};
    const signal = new AbortController().signal;
    try { for (;;) openSync('/dev/null', 'r'); } catch {}
    const run = module.runProcessGroup({ file: '/bin/true', args: [], env: {}, onStdout: noop, onStderr: noop, clock, signal });
    await run.then(() => console.log('ran'), (error) => console.log('rejected: ' + error.code));
  `;
  const { exit, output } = run('/bin/sh', [
    '-c',
    'cd "$1" && ulimit -n 256 && exec "$0" --input-type=module -e "$2"',
    nodeExecutable,
    join(import.meta.dirname, '../..'),
    script,
  ]);
  expect(await exit).toEqual({ exitCode: 0, signal: null });
  expect(output()).toEqual({ stdout: 'rejected: EMFILE\n', stderr: '' });
});

describe('an abort', () => {
  it('ends children and grandchildren that listen to TERM', async () => {
    const abort = new AbortController();
    const { exit } = shell('sh -c "sleep 100 & wait" & echo $$ > $FOLDER/pid; wait', abort.signal);
    const group = await pidIn('pid');
    abort.abort();
    await exit;
    expect(groupAlive(group)).toBe(false);
  });

  it('kills a grandchild that ignores TERM, after the grace', async () => {
    const abort = new AbortController();
    const { exit } = shell(
      `sh -c 'trap "" TERM; echo $$ > $FOLDER/deaf; while :; do sleep 0.1; done' & echo $$ > $FOLDER/pid; wait`,
      abort.signal,
    );
    const group = await pidIn('pid');
    await pidIn('deaf');
    const began = fastClock.now();
    abort.abort();
    await exit;
    expect(fastClock.now() - began).toBeGreaterThanOrEqual(TERM_GRACE_MS - FACTOR);
    expect(groupAlive(group)).toBe(false);
  });

  it('before it began ends it too', async () => {
    const abort = new AbortController();
    abort.abort();
    expect((await shell('sleep 100', abort.signal).exit).signal).toBe('SIGTERM');
  });

  it('after its end does nothing', async () => {
    const abort = new AbortController();
    expect(await shell('exit 0', abort.signal).exit).toEqual({ exitCode: 0, signal: null });
    abort.abort();
  });
});

it('does not wait for ever for output that something left behind still holds', async () => {
  const { exit, output } = shell('sleep 30 & echo $! > $FOLDER/left; echo done');
  expect(await exit).toEqual({ exitCode: 0, signal: null });
  expect(output().stdout).toBe('done\n');
  process.kill(await pidIn('left'));
});
