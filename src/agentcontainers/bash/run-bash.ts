import { linkedScope } from '../../async/abort.ts';
import type { Clock } from '../../clock/clock.ts';
import { AgentContainersError } from '../../errors.ts';
import type { CommandExit, CommandProcess, ContainerRuntime, Via } from '../ports.ts';
import { createEndsOfOutput } from './ends-of-output.ts';
import { signalCode } from '../../process/signal-code.ts';

/** A command as agents give it. */
export interface BashRequest {
  /** A line for the shell; not blank. */
  readonly command: string;
  /** Default: the container workspace folder. */
  readonly cwd?: string | undefined;
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** Milliseconds, 1 to 300,000. Default 60,000. In the foreground the command is ended then, whole tree and all. */
  readonly timeoutMs?: number | undefined;
  /** Let it run on after the time-out, with standard input that stays open for `writeStdin`. Else that is at its end. */
  readonly background?: boolean | undefined;
  /** A retry with the same key answers for the same run instead of starting another one. */
  readonly idempotencyKey?: string | undefined;
}

export interface BashResult {
  /** Both outputs in their order, trimmed; of a long one the beginning and the end. */
  readonly output: string;
  /** 124 after a time-out, 128 + n after a signal, `null` while it runs on, and when it was lost. */
  readonly exitCode: number | null;
  /** To read on from, write to, wait for or end: given while it runs, and when output was left out. */
  readonly processId?: string | undefined;
  readonly truncated?: { readonly totalBytes: number; readonly omittedBytes: number } | undefined;
  readonly via: Via;
}

const DEFAULT_TIMEOUT_MS = 60_000;
const LONGEST_TIMEOUT_MS = 300_000;
/** Of what is returned; an agent reads every byte. */
const HEAD_BYTES = 16 * 1024;
const TAIL_BYTES = 32 * 1024;

const CANCELED = 'Command canceled due to timeout';
const CONTINUES = 'Command continues running in background';
const HELD = 'Processes that the command has started still run in background';

/**
 * Runs one command of an agent. When `signal` aborts, a command in the foreground is ended with everything that it has
 * started; one in the background runs on, and so does one with a key, until its time is over: a retry answers for it.
 *
 * `invalid-request` for a blank command, and for a time-out out of range.
 */
export async function runBash(
  runtime: ContainerRuntime,
  clock: Clock,
  request: BashRequest,
  signal?: AbortSignal,
): Promise<BashResult> {
  const timeoutMs = checked(request);
  const isForeground = request.background !== true;
  const endsWithCaller = isForeground && request.idempotencyKey === undefined;
  signal?.throwIfAborted();
  // Without the signal: a start that was given up may have begun, under an id that nobody has.
  const process = await runtime.spawn({
    command: request.command,
    cwd: request.cwd,
    env: request.env,
    merged: true,
    // Of one in the foreground nobody has the id that writing needs: what reads its input would wait until the time-out.
    stdin: !isForeground,
    // What is left out of the answer can be read later; through the engine as far as its memory of it goes.
    overflow: runtime.via === 'resident' ? 'spill' : undefined,
    key: request.idempotencyKey,
    // Kept by whoever runs it, so that it holds when nobody is left here.
    timeoutMs: isForeground ? timeoutMs : undefined,
  });
  try {
    signal?.throwIfAborted();
    const ended = await followed(runtime, clock, process, isForeground ? undefined : timeoutMs, signal);
    const result = resultOf(runtime, ended.process, ended.ends.text());
    // Nobody knows its id, and nobody can ask for it again.
    if (result.processId === undefined && request.idempotencyKey === undefined) {
      await runtime.forget(process.id, signal).catch(() => {});
    }
    return result;
  } catch (error) {
    if (endsWithCaller && signal?.aborted) await runtime.kill(process.id).catch(() => {});
    throw error;
  }
}

function checked({ command, timeoutMs = DEFAULT_TIMEOUT_MS }: BashRequest): number {
  if (command.trim() === '') {
    throw new AgentContainersError('invalid-request', 'Running the command failed: it is empty. Give a command line.');
  }
  if (!Number.isInteger(timeoutMs) || timeoutMs < 1 || timeoutMs > LONGEST_TIMEOUT_MS) {
    throw new AgentContainersError(
      'invalid-request',
      `Running the command failed: its time-out is ${timeoutMs} ms. Give a whole number from 1 to ${LONGEST_TIMEOUT_MS}, or run it in the background.`,
    );
  }
  return timeoutMs;
}

/** Reads what it writes until it has ended, or for so long. */
async function followed(
  runtime: ContainerRuntime,
  clock: Clock,
  process: CommandProcess,
  forMs: number | undefined,
  signal: AbortSignal | undefined,
) {
  const ends = createEndsOfOutput(HEAD_BYTES, TAIL_BYTES);
  const scope = linkedScope(signal);
  const timer =
    forMs === undefined ? undefined : clock.afterFunc(forMs, () => scope.abort('time is over'), 'bash: background');
  try {
    for await (const { bytes } of runtime.output(process.id, { offset: 0, follow: true, signal: scope.signal })) {
      ends.add(bytes);
    }
  } catch (error) {
    if (!scope.signal.aborted || signal?.aborted) throw error;
  } finally {
    timer?.stop();
    scope.release();
  }
  return { ends, process: await runtime.process(process.id, {}, signal) };
}

function resultOf(
  runtime: ContainerRuntime,
  process: CommandProcess,
  output: { readonly text: string; readonly totalBytes: number; readonly omittedBytes: number },
): BashResult {
  const { exit } = process;
  const notes = exit ? notesOf(exit) : [CONTINUES];
  const text = output.text.trim();
  const isCut = output.omittedBytes > 0;
  return {
    output: [...(text === '' ? [] : [text]), ...notes].join('\n'),
    exitCode: exit ? exitCodeOf(exit) : null,
    ...(isCut || !exit || exit.backgroundHeld ? { processId: process.id } : {}),
    ...(isCut ? { truncated: { totalBytes: output.totalBytes, omittedBytes: output.omittedBytes } } : {}),
    via: runtime.via,
  };
}

function notesOf(exit: CommandExit): string[] {
  const notes: string[] = [];
  if (exit.reason === 'timeout') notes.push(CANCELED);
  if (exit.reason === 'oom') notes.push('Command was killed: the container has no memory left');
  if (exit.reason === 'lost') notes.push('Command was lost: its container has ended, or what ran it there');
  if (exit.survivors.length > 0)
    notes.push(`These processes may be of it, and were not or could not be ended: ${exit.survivors.join(', ')}`);
  if (exit.backgroundHeld && exit.reason === 'exit') notes.push(HELD);
  return notes;
}

/** As a shell tells it. */
export function exitCodeOf(exit: CommandExit): number | null {
  if (exit.reason === 'timeout') return 124;
  if (exit.code !== null) return exit.code;
  return exit.signal === null ? null : (signalCode(exit.signal) ?? 128);
}
