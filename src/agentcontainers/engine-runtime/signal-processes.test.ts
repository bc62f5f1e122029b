import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { systemClock } from '../../clock/system-clock.ts';
import { createFakeEngine } from '../../testing/fake-engine.ts';
import type { FakeEngine } from '../../testing/fake-engine.ts';
import { createFakeClock } from '../../testing/fake-clock.ts';
import { RUN_ID_VARIABLE, signalProcesses } from './signal-processes.ts';

const WITHIN = { timeout: 5_000, interval: 20 };
const started: ChildProcess[] = [];
let engine: FakeEngine;
let container: string;
let runId: string;

beforeEach(() => {
  engine = createFakeEngine({ clock: createFakeClock() });
  container = engine.addContainer().id;
  runId = `${process.pid}${Math.random().toString(16).slice(2)}`;
  // The shell of this machine in place of the container's.
  engine.onExec(['/bin/sh', '-c'], async ({ spec, stderr }) => {
    const [file = '', ...args] = spec.argv;
    const shell = spawn(file, args, { env: {}, stdio: ['ignore', 'ignore', 'pipe'] });
    shell.stderr.on('data', (chunk: Buffer) => stderr(chunk));
    const [code] = (await once(shell, 'close')) as [number];
    return code;
  });
});
afterEach(() => {
  for (const child of started.splice(0)) child.kill('SIGKILL');
});

/** Runs a shell that prints the ids of its processes, and resolves with them. */
async function run(script: string, count: number, mark = runId): Promise<{ child: ChildProcess; pids: number[] }> {
  const env = { PATH: process.env['PATH'], A: '1', [RUN_ID_VARIABLE]: mark, Z: 'last' };
  const child = spawn('/bin/sh', ['-c', script], { env, stdio: ['ignore', 'pipe', 'ignore'], detached: true });
  started.push(child);
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
  await vi.waitFor(() => expect(text.trim().split('\n')).toHaveLength(count), WITHIN);
  return { child, pids: text.trim().split('\n').map(Number) };
}

const send = (signal: 'TERM' | 'KILL') =>
  signalProcesses(engine, systemClock, {
    containerId: container,
    runId,
    user: undefined,
    signal,
    timeoutMs: 10_000,
    abort: new AbortController().signal,
  });

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

describe.skipIf(process.platform !== 'linux')('the processes of a run', () => {
  it('that ignore TERM are killed, with children that dropped its environment or left its session', async () => {
    const script = `trap '' TERM; echo $$
      setsid sh -c 'echo $$; exec sleep 100' &
      env -i sh -c 'echo $$; sleep 100 & echo $!; wait' &
      (setsid sh -c 'echo $$; exec sleep 100' & )
      while :; do sleep 1; done`;
    const { child, pids } = await run(script, 5);
    expect(await send('TERM')).toBeUndefined();
    expect(pids.map(isAlive)).toEqual(pids.map(() => true));
    const ended = once(child, 'exit');
    expect(await send('KILL')).toBeUndefined();
    expect(await ended).toEqual([null, 'SIGKILL']);
    await vi.waitFor(() => expect(pids.filter((pid) => isAlive(pid) && !isZombie(pid))).toEqual([]), WITHIN);
  });

  it('that began it get TERM, and end what they started themselves', async () => {
    const script = `sleep 100 & sleeper=$!; echo $$; echo $sleeper; trap 'exit 7' TERM; wait`;
    const { child, pids } = await run(script, 2);
    const ended = once(child, 'exit');
    expect(await send('TERM')).toBeUndefined();
    expect(await ended).toEqual([7, null]);
    expect(isAlive(pids[1] ?? 0)).toBe(true);
    expect(await send('KILL')).toBeUndefined();
    await vi.waitFor(() => expect(isAlive(pids[1] ?? 0) && !isZombie(pids[1] ?? 0)).toBe(false), WITHIN);
  });

  it('are all that is killed', async () => {
    const { pids } = await run('echo $$; exec sleep 100', 1, 'another-run');
    expect(await send('KILL')).toBeUndefined();
    expect(pids.map(isAlive)).toEqual([true]);
  });
});

it('cannot be reached in a container that is gone, which is said', async () => {
  engine.remove(container);
  expect(await send('KILL')).toBe('the container is gone');
});

function isZombie(pid: number): boolean {
  try {
    return /\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return true;
  }
}
