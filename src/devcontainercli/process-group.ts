/* oxlint-disable no-restricted-globals -- this is the code that spawns processes */
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

import type { Clock } from '../clock/clock.ts';

export interface ProcessGroupExit {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface ProcessGroupSpec {
  readonly file: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly onStdout: (chunk: string) => void;
  readonly onStderr: (chunk: string) => void;
  readonly clock: Clock;
  /** Ends the whole group: TERM, five seconds, KILL. */
  readonly signal: AbortSignal;
}

/** The interpreter that runs us, so that a child needs none of its own on PATH. */
export const nodeExecutable = process.execPath;

/** The environment of this process; a child gets only what an allow-list picks from it. */
export function ownEnvironment(): Readonly<Record<string, string | undefined>> {
  return process.env;
}

/** Time between TERM and KILL. */
export const TERM_GRACE_MS = 5_000;
/** TERM is said again after these times. */
const TERM_STEPS_MS = [500, 500] as const;
/** How long a group is waited for after KILL. Only a process stuck in the kernel can need more. */
const KILL_WAIT_MS = 5_000;
const POLL_MS = 50;
/** How long output is waited for after the process has ended, in case something else holds the pipe. */
const DRAIN_MS = 2_000;

/**
 * Runs a command as the leader of a process group of its own and resolves when it has ended and its output was read.
 *
 * INVARIANTS
 * - Rejects only when the command could not be started, with the error of `spawn`.
 * - After an abort it settles only when no process of the group is left, or when KILL has had five seconds to work.
 * - Processes that the command left behind on purpose live on when it was not aborted.
 */
export async function runProcessGroup(spec: ProcessGroupSpec): Promise<ProcessGroupExit> {
  // The root directory always exists; the CLI is told about its folder by argument.
  const child = spawn(spec.file, [...spec.args], {
    cwd: '/',
    env: { ...spec.env },
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  // Before anything else can fail: an error event without a listener would end this whole process.
  const notStarted = new Promise<never>((_, reject) => {
    child.on('error', reject);
  });
  // A child that was refused for want of file descriptors has no streams, whatever its type says.
  const streams = [child.stdout, child.stderr] as readonly (typeof child.stdout | null | undefined)[];
  streams[0]?.setEncoding('utf8').on('data', spec.onStdout);
  streams[1]?.setEncoding('utf8').on('data', spec.onStderr);

  let onAbort: (() => void) | undefined;
  let killed: Promise<void> | undefined;
  try {
    const ended = new Promise<ProcessGroupExit>((resolve) => {
      let drain: { stop(): boolean } | undefined;
      child.once('exit', (exitCode, signal) => {
        drain = spec.clock.afterFunc(DRAIN_MS, () => resolve({ exitCode, signal }), 'cli-drain');
      });
      child.once('close', (exitCode, signal) => {
        drain?.stop();
        resolve({ exitCode, signal });
      });
      onAbort = () => {
        const pid = child.pid;
        // Without a pid it did not start, and the error event tells.
        if (pid !== undefined) killed ??= endGroup(pid, spec.clock, child);
      };
      if (spec.signal.aborted) onAbort();
      else spec.signal.addEventListener('abort', onAbort, { once: true });
    });
    const exit = await Promise.race([ended, notStarted]);
    await killed;
    return exit;
  } finally {
    if (onAbort !== undefined) spec.signal.removeEventListener('abort', onAbort);
    for (const stream of streams) stream?.destroy();
  }
}

async function endGroup(
  pgid: number,
  clock: Clock,
  leader: { once(event: 'close', listener: () => void): unknown },
): Promise<void> {
  const closed = new Promise<void>((resolve) => leader.once('close', () => resolve()));
  signalGroup(pgid, 'SIGTERM');
  // Clients of the engine that are attached to a running command leave only at the third TERM.
  for (const ms of TERM_STEPS_MS) {
    if (await groupGone(pgid, clock, ms, closed)) return;
    signalGroup(pgid, 'SIGTERM');
  }
  if (await groupGone(pgid, clock, TERM_GRACE_MS - TERM_STEPS_MS[0] - TERM_STEPS_MS[1], closed)) return;
  signalGroup(pgid, 'SIGKILL');
  await groupGone(pgid, clock, KILL_WAIT_MS, closed);
}

/** Looks when the leader has closed, and at every step of the clock. */
function groupGone(pgid: number, clock: Clock, withinMs: number, closed: Promise<void>): Promise<boolean> {
  return new Promise((resolve) => {
    if (!groupAlive(pgid)) return resolve(true);
    const until = clock.now() + withinMs;
    const look = (): void => {
      const alive = groupAlive(pgid);
      if (alive && clock.now() < until) return;
      ticker.stop();
      resolve(!alive);
    };
    const ticker = clock.tickerFunc(POLL_MS, look, 'cli-group');
    void closed.then(look);
  });
}

function signalGroup(pgid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pgid, signal);
  } catch {
    // It is gone already.
  }
}

/** True while the group has a process that can still do something. */
export function groupAlive(pgid: number): boolean {
  try {
    process.kill(-pgid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
  // A process that has ended counts for the kernel until its parent asks, which an idle init may never do.
  return process.platform !== 'linux' || groupHasLivingMember(pgid);
}

function groupHasLivingMember(pgid: number): boolean {
  let names: string[];
  try {
    names = readdirSync('/proc');
  } catch {
    return true;
  }
  return names.some((name) => {
    if (!/^\d+$/.test(name)) return false;
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
      // `pid (command) state ppid pgrp …`; the command may hold spaces and parentheses.
      const [state, , group] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      return Number(group) === pgid && state !== 'Z' && state !== 'X';
    } catch {
      return false;
    }
  });
}
