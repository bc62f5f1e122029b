/* oxlint-disable no-restricted-globals -- this is the code that spawns processes */
import { spawn } from 'node:child_process';

import type { Clock } from '../clock/clock.ts';
import { groupMembers } from '../process/group-members.ts';
import { endInSteps, type EndingSignal } from './end-in-steps.ts';

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
  /** Called once, when the process has begun. */
  readonly onSpawn?: ((pid: number) => void) | undefined;
  readonly clock: Clock;
  /** Ends the whole group, see {@link endInSteps}. */
  readonly signal: AbortSignal;
}

/** The interpreter that runs us, so that a child needs none of its own on PATH. */
export const nodeExecutable = process.execPath;

/** The environment of this process; a child gets only what an allow-list picks from it. */
export function ownEnvironment(): Readonly<Record<string, string | undefined>> {
  return process.env;
}

/** The id of this process. */
export const ownProcessId = process.pid;

/** Who runs this process; `undefined` where there is no such thing. */
export function ownUserId(): number | undefined {
  return process.geteuid?.();
}

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
    if (child.pid !== undefined) spec.onSpawn?.(child.pid);
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

function endGroup(
  pgid: number,
  clock: Clock,
  leader: { once(event: 'close', listener: () => void): unknown },
): Promise<void> {
  const closed = new Promise<void>((resolve) => leader.once('close', () => resolve()));
  const group = { isGone: () => !groupAlive(pgid), send: (signal: EndingSignal) => signalGroup(pgid, signal) };
  return endInSteps(group, clock, { closed });
}

/** Sends to the processes of a group; one that is gone already is none. */
export function signalGroup(pgid: number, signal: EndingSignal): void {
  signalProcess(-pgid, signal);
}

export function signalProcess(pid: number, signal: EndingSignal): void {
  try {
    process.kill(pid, signal);
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
  const members = groupMembers(pgid);
  return members === undefined || members.length > 0;
}
