import { spawn } from 'node:child_process';
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants, realpathSync } from 'node:fs';
import { chmod, mkdtemp, readFile, readdir, rm, rmdir, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

// The shipped script, run by the shells that it must be able to run in.

const SCRIPT = fileURLToPath(new URL('../../assets/sub-agent.sh', import.meta.url));
const SHELLS = [
  { name: 'dash', interpreter: '/usr/bin/dash', file: '/usr/bin/dash' },
  { name: 'busybox ash', interpreter: '/bin/busybox sh', file: '/bin/busybox' },
  { name: 'sh', interpreter: '/bin/sh', file: '/bin/sh' },
]
  .filter(({ file }) => isExecutable(file))
  // On many systems /bin/sh is one of the others.
  .filter(
    ({ file }, index, all) => index === all.findIndex((other) => realpathSync(other.file) === realpathSync(file)),
  );

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

interface Agent {
  readonly child: ChildProcessWithoutNullStreams;
  readonly pid: number;
  output(): string;
  /** Resolves when its output contains this. */
  says(text: string): Promise<void>;
  /** Its exit code, or the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals | null>;
}

let folder: string;
const agents = new Set<ChildProcessWithoutNullStreams>();

/** A copy that this shell runs, in a directory of temporary files of its own. */
async function scriptFor(interpreter: string): Promise<{ path: string; temporary: string }> {
  const temporary = await mkdtemp(join(folder, 'tmp-'));
  const path = join(temporary, 'sub-agent-0123456789ab');
  await writeFile(path, (await readFile(SCRIPT, 'utf8')).replace('#!/bin/sh', `#!${interpreter}`));
  await chmod(path, 0o755);
  return { path, temporary };
}

function start({ path, temporary }: { path: string; temporary: string }, env: Record<string, string> = {}): Agent {
  const child = spawn(path, ['agent'], {
    env: {
      PATH: process.env['PATH'],
      TMPDIR: temporary,
      AGENTCONTAINERS_TOKEN: 'canary-of-this-test',
      AGENTCONTAINERS_HEARTBEAT_SECONDS: '1',
      ...env,
    },
  });
  agents.add(child);
  let output = '';
  const listeners = new Set<() => void>();
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (text: Buffer) => {
      output += text.toString();
      for (const listener of listeners) listener();
    });
  }
  child.stdin.on('error', () => {});
  return {
    child,
    pid: child.pid ?? 0,
    output: () => output,
    says: (text) =>
      new Promise((resolve) => {
        const look = (): void => {
          if (!output.includes(text)) return;
          listeners.delete(look);
          resolve();
        };
        listeners.add(look);
        look();
      }),
    ended: new Promise((resolve) => child.on('close', (code, signal) => resolve(code ?? signal))),
  };
}

/** What was killed may take a moment to be gone. */
const PATIENT = { timeout: 20_000 };

/** Processes whose command line contains this. */
async function processesWith(text: string): Promise<number[]> {
  const found: number[] = [];
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const line = await readFile(`/proc/${name}/cmdline`, 'utf8').catch(() => '');
    if (line.replaceAll('\0', ' ').includes(text)) found.push(Number(name));
  }
  return found;
}

/** Processes that were started with this in their environment. */
async function processesIn(variable: string): Promise<string[]> {
  const names = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const environments = await Promise.all(
    names.map(async (name) => [name, await readFile(`/proc/${name}/environ`, 'utf8').catch(() => '')] as const),
  );
  return environments.filter(([, text]) => text.split('\0').includes(variable)).map(([name]) => name);
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sub-agent-script-'));
});
afterAll(async () => {
  for (const agent of agents) agent.kill('SIGKILL');
  await rm(folder, { recursive: true, force: true });
  // Where it goes when its first choice is not fit; left alone unless empty.
  await rmdir(`/tmp/.agentcontainers-sub-agent.${process.getuid?.() ?? 0}`).catch(() => {});
});

describe.each(SHELLS)('the shipped sub-agent in $name', { timeout: 60_000 }, ({ interpreter }) => {
  it.concurrent('refuses to start without a token', async ({ expect }) => {
    const agent = start(await scriptFor(interpreter), { AGENTCONTAINERS_TOKEN: '' });
    expect(await agent.ended).toBe(2);
    expect(agent.output()).toContain('AGENTCONTAINERS_TOKEN is not set');
  });

  it.concurrent('refuses an interval that is none', async ({ expect }) => {
    for (const interval of ['0', '-1', '99999', 'x', '1;id', '08x']) {
      const agent = start(await scriptFor(interpreter), { AGENTCONTAINERS_HEARTBEAT_SECONDS: interval });
      expect(await agent.ended).toBe(2);
      expect(agent.output()).toContain('must be a number from 1 to 3600');
    }
  });

  it.concurrent('says that it is ready, beats while it is answered, and ends on request', async ({ expect }) => {
    const script = await scriptFor(interpreter);
    const agent = start(script);
    await agent.says('ready ');
    expect(agent.output()).toMatch(new RegExp(`^ready \\d+\\.\\d+\\.\\d+ pid=${agent.pid}\\n`));
    for (let beat = 1; beat <= 6; beat++) {
      await agent.says(`heartbeat ${beat}\n`);
      agent.child.stdin.write('alive\n');
    }
    agent.child.stdin.write('something unknown\nstop\n');
    expect(await agent.ended).toBe(0);
    await expect.poll(() => processesWith(script.path), PATIENT).toEqual([]);
  });

  it.concurrent('ends when its input ends', async ({ expect }) => {
    const script = await scriptFor(interpreter);
    const agent = start(script);
    await agent.says('ready ');
    agent.child.stdin.end();
    expect(await agent.ended).toBe(0);
    await expect.poll(() => processesWith(script.path), PATIENT).toEqual([]);
  });

  it.concurrent('ends with its command when nobody answers, also when nobody reads', async ({ expect }) => {
    const script = await scriptFor(interpreter);
    const agent = start(script, { AGENTCONTAINERS_COMMAND: 'yes endless' });
    await agent.says('command: endless');
    // Its pipe fills up, as when an engine was killed.
    agent.child.stdout.pause();
    const exit = new Promise((resolve) => agent.child.on('exit', (code, signal) => resolve(code ?? signal)));
    expect(await exit).toBe(143);
    agent.child.stdout.resume();
    await agent.ended;
    await expect.poll(() => processesWith(script.path), PATIENT).toEqual([]);
  });

  it.concurrent('runs the command in a group of its own without the token, and reports how it ended', async ({
    expect,
  }) => {
    const script = await scriptFor(interpreter);
    const command =
      'echo out; echo err >&2; env; cat /proc/[0-9]*/environ 2>/dev/null | grep -c canary-of-thi[s]; exit 7';
    const agent = start(script, { AGENTCONTAINERS_COMMAND: command, MARK: 'kept' });
    await agent.says('command exited 7\n');
    await agent.says('heartbeat 1\n');
    const output = agent.output();
    expect(output).toContain('command: out\n');
    expect(output).toContain('command: err\n');
    expect(output).toContain('command: MARK=kept\n');
    expect(output).not.toContain('canary-of-this-test');
    expect(output).not.toContain('AGENTCONTAINERS_COMMAND');
    agent.child.stdin.write('stop\n');
    expect(await agent.ended).toBe(0);
  });

  it.concurrent('passes on what the command says of being busy, and nothing else of it as its own', async ({
    expect,
  }) => {
    const script = await scriptFor(interpreter);
    const command = `
      printf '%s\\n' 'busy with tricks' idle 'heartbeat 9' 'agentcontainers-busy' 'agentcontainers-idle now'
      echo 'agentcontainers-busy: a build \\ with  two spaces'; echo agentcontainers-idle >&2
      printf 'agentcontainers-busy: tests'; exit 3`;
    const agent = start(script, { AGENTCONTAINERS_COMMAND: command });
    await agent.says('idle\n');
    await agent.says('command exited 3\n');
    await agent.says('busy tests\nidle\n');
    const lines = agent.output().split('\n').slice(1, -1);
    expect(lines.filter((line) => line !== 'command exited 3' && !line.startsWith('heartbeat 1'))).toEqual([
      'command: busy with tricks',
      'command: idle',
      'command: heartbeat 9',
      'command: agentcontainers-busy',
      'command: agentcontainers-idle now',
      'busy a build \\ with  two spaces',
      'idle',
      'busy tests',
      'idle',
    ]);
    agent.child.stdin.write('stop\n');
    expect(await agent.ended).toBe(0);
  });

  it.concurrent('ends a command that ignores TERM, and everything that it left behind', async ({ expect }) => {
    const script = await scriptFor(interpreter);
    const mark = `98${String(process.pid).padStart(7, '0')}${SHELLS.findIndex((shell) => shell.interpreter === interpreter)}`;
    const command = `sleep ${mark} & trap "" TERM; echo begun; while :; do sleep ${mark}; done`;
    const agent = start(script, { AGENTCONTAINERS_COMMAND: command });
    await agent.says('command: begun');
    agent.child.stdin.write('stop\n');
    expect(await agent.ended).toBe(0);
    await expect.poll(() => processesWith(`sleep ${mark}`), PATIENT).toEqual([]);
    await expect.poll(() => processesWith(script.path), PATIENT).toEqual([]);
  });

  it.concurrent('ends its command also when it was killed itself', async ({ expect }) => {
    const script = await scriptFor(interpreter);
    const agent = start(script, { AGENTCONTAINERS_COMMAND: 'echo begun; trap "" TERM; while :; do sleep 1; done' });
    await agent.says('command: begun');
    // From its guard, which is there from now on.
    await agent.says('heartbeat 1\n');
    agent.child.kill('SIGKILL');
    // Closed when the last process that holds its output is gone.
    await agent.ended;
    await expect.poll(() => processesWith(script.path), PATIENT).toEqual([]);
  });

  it.concurrent('ends the one before it, even one that is stopped', async ({ expect }) => {
    const script = await scriptFor(interpreter);
    const first = start(script);
    await first.says('ready ');
    const second = start(script);
    await second.says('ready ');
    expect(second.output()).toMatch(new RegExp(`^ended predecessor pid=${first.pid}\\nready`));
    expect(await first.ended).toBe(143);

    second.child.kill('SIGSTOP');
    const third = start(script);
    await third.says('ready ');
    expect(third.output()).toContain(`ended predecessor pid=${second.pid}\n`);
    third.child.stdin.write('stop\n');
    expect(await third.ended).toBe(0);
  });

  it.concurrent('ends the command of one that was killed before it', async ({ expect }) => {
    const script = await scriptFor(interpreter);
    const slow = { AGENTCONTAINERS_HEARTBEAT_SECONDS: '5' };
    const killed = start(script, { ...slow, AGENTCONTAINERS_COMMAND: 'echo begun; while :; do sleep 1; done' });
    await killed.says('command: begun');
    // Its command may have begun before it was noted.
    const noted = async (): Promise<string | undefined> => {
      const [directory = ''] = await readdir(script.temporary).then((names) =>
        names.filter((name) => name.startsWith('.')),
      );
      return (await readFile(join(script.temporary, directory, 'pid'), 'utf8').catch(() => '')).split(' ')[2];
    };
    await expect.poll(noted, { timeout: 20_000 }).toMatch(/^[1-9]\d*$/);
    const gone = once(killed.child, 'exit');
    killed.child.kill('SIGKILL');
    // Until then it is there, and would be ended as itself.
    await gone;
    const next = start(script);
    await next.says('ready ');
    expect(next.output()).toMatch(/^ended the command of a predecessor pid=\d+\nready/);
    next.child.stdin.write('stop\n');
    expect(await next.ended).toBe(0);
    await killed.ended;
    await expect.poll(() => processesWith(script.path), PATIENT).toEqual([]);
  });

  it.concurrent('leaves a process alone that only got the number of an earlier one', async ({ expect }) => {
    const script = await scriptFor(interpreter);
    const agent = start(script);
    await agent.says('ready ');
    agent.child.stdin.write('stop\n');
    await agent.ended;
    const [directory] = (await readdir(script.temporary)).filter((name) =>
      name.startsWith('.agentcontainers-sub-agent'),
    );
    const bystander = spawn('sleep', ['60']);
    for (const content of [
      `${bystander.pid} 1 0`,
      `${process.pid} 12 -1`,
      '-1 1 1',
      '$(id) x',
      '',
      'x'.repeat(100_000),
    ]) {
      await writeFile(join(script.temporary, directory ?? '', 'pid'), `${content}\n`);
      const next = start(script);
      await next.says('ready ');
      expect(next.output()).not.toContain('ended predecessor');
      next.child.stdin.end();
      await next.ended;
    }
    expect(bystander.exitCode).toBeNull();
    expect(bystander.signalCode).toBeNull();
    bystander.kill();
  });

  it.concurrent('does not follow a link that somebody put where its directory would be', async ({ expect }) => {
    const script = await scriptFor(interpreter);
    const elsewhere = await mkdtemp(join(folder, 'elsewhere-'));
    const uid = process.getuid?.() ?? 0;
    await symlink(elsewhere, join(script.temporary, `.agentcontainers-sub-agent.${uid}`));
    const agent = start(script);
    await agent.says('ready ');
    agent.child.stdin.end();
    expect(await agent.ended).toBe(0);
    expect(await readdir(elsewhere)).toEqual([]);
  });
});

it('names its version', async () => {
  const child = spawn(SCRIPT, ['--version'], { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.on('data', (text: Buffer) => (output += text.toString()));
  expect(await new Promise((resolve) => child.on('close', resolve))).toBe(0);
  expect(output).toMatch(/^agentcontainers-sub-agent \d+\.\d+\.\d+\n$/);
});

// Alone, and on one processor, which it shares: its parts then run in any order.
describe.each(SHELLS)('the shipped sub-agent in $name on a busy processor', { timeout: 60_000 }, ({ interpreter }) => {
  it('leaves no process behind when its command ends at once', async () => {
    const script = await scriptFor(interpreter);
    const busy = ['-c', '0', 'sh', '-c', 'while :; do :; done'];
    const load = Array.from({ length: 3 }, () => spawn('taskset', busy, { stdio: 'ignore' }));
    try {
      for (let round = 0; round < 10; round++) {
        const agent = start(script, { AGENTCONTAINERS_COMMAND: 'echo begun; sleep 9876' });
        await once(spawn('taskset', ['-p', '-c', '0', String(agent.pid)], { stdio: 'ignore' }), 'close');
        await agent.says('begun');
        const exit = once(agent.child, 'exit');
        agent.child.stdin.write('stop\n');
        expect(await exit).toEqual([0, null]);
        // What was killed may take a moment to go; the nap of its killer would take three seconds.
        const left = (): Promise<string[]> => processesIn(`TMPDIR=${script.temporary}`);
        await expect.poll(left, { timeout: 1_500, interval: 50 }).toEqual([]);
      }
    } finally {
      for (const one of load) one.kill('SIGKILL');
    }
  });
});
