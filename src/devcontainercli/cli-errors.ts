import type { EntryKey } from '../agentcontainers/model/devcontainer.ts';
import type { CliFailure } from '../agentcontainers/ports.ts';
import { raceAbort } from '../async/abort.ts';
import {
  AgentContainersError,
  cancelled,
  errorMessage,
  isAgentContainersError,
  type FailedCommand,
} from '../errors.ts';
import type { DevcontainerJson } from './devcontainer-json.ts';
import type { Cause } from './failure-causes.ts';
import type { ProcessGroupExit } from './process-group.ts';

/** Throws `cancelled` when the signal is aborted, whatever reason it was aborted with. */
export function throwIfAborted(signal: AbortSignal): void {
  if (!signal.aborted) return;
  const reason: unknown = signal.reason;
  if (isAgentContainersError(reason, 'cancelled')) throw reason;
  const error = cancelled('caller-left');
  throw new AgentContainersError('cancelled', error.message, { cause: reason, details: error.details });
}

/** Settles like `work`, or rejects with `cancelled` as soon as the signal aborts: a file system may never answer. */
export async function orCancelled<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  try {
    return await raceAbort(work, signal);
  } catch (error) {
    throwIfAborted(signal);
    throw error;
  }
}

/** What this machine is short of when it cannot start a process, and what a person can do. */
const SHORTAGES: ReadonlyMap<unknown, string> = new Map([
  ['EMFILE', 'this program has no file descriptors left. Raise its limit of open files (`ulimit -n`) and restart it.'],
  ['ENFILE', 'this machine has no file descriptors left. Raise fs.file-max with sysctl, or end other programs.'],
  ['EAGAIN', 'no more processes may be started. Raise the limit of processes (`ulimit -u`), or end other programs.'],
  ['ENOMEM', 'this machine has no memory left. End other programs and try again.'],
]);

/** `cli-failed` for want of something that will be there again; else `cli-missing`. */
export function notStarted(error: unknown): AgentContainersError {
  const shortage = SHORTAGES.get((error as NodeJS.ErrnoException).code);
  return new AgentContainersError(
    shortage === undefined ? 'cli-missing' : 'cli-failed',
    `Starting the devcontainer CLI failed: ${
      shortage ??
      `${errorMessage(error)}. Check that Node.js is still installed where it was when this program started.`
    }`,
    { cause: error },
  );
}

/** The outcome of a run that was refused before the CLI was started. */
export function refused(phase: string, message: string): CliFailure {
  return { outcome: 'error', phase, message, outputTail: '' };
}

/**
 * The outcome of a run that could not be started for want of something that may be there again: an engine, room on the
 * disk. Throws what a run may reject with, what the last look found, and what is a fault of this program.
 *
 * @param doing opens the message: `Building the image`
 */
export function refusedFor(error: unknown, phase: string, doing: string): CliFailure {
  if (isAgentContainersError(error, 'cancelled', 'cli-missing', 'cli-output-invalid')) throw error;
  if (isAgentContainersError(error, 'verdict-changed', 'devcontainer-not-trusted')) throw error;
  if (isAgentContainersError(error)) return refused(phase, error.message);
  if (typeof (error as NodeJS.ErrnoException | undefined)?.code !== 'string') throw error;
  return refused(phase, `${doing} failed: ${errorMessage(error)}. Check the room for temporary files and try again.`);
}

/** One sentence and the next step for a configuration that cannot be used. */
export function unusableConfiguration(key: EntryKey, config: Exclude<DevcontainerJson, { kind: 'valid' }>): string {
  const reason =
    config.kind === 'missing'
      ? 'there is no such file. Restore it and try again.'
      : `${config.error.message} at line ${config.error.line}, column ${config.error.column}. Correct it and try again.`;
  return `Reading the configuration ${key.configPath} failed: ${reason}`;
}

export function failedCommand(exit: ProcessGroupExit, command: string, outputTail: string): FailedCommand {
  return {
    command,
    exitCode: exit.exitCode ?? undefined,
    signal: exit.signal ?? undefined,
    timedOut: false,
    isCancelled: false,
    outputTail,
  };
}

/** `cli-output-invalid`: the CLI ended without saying how it went, or contradicts its own exit code. */
export function unexpectedEnd(
  what: string,
  exit: ProcessGroupExit,
  command: string,
  tail: string,
  known: { readonly contradicts?: boolean | undefined; readonly cause?: Cause | undefined } = {},
): AgentContainersError {
  let how = `it ended with code ${exit.exitCode} and no valid result`;
  if (known.cause !== undefined) how = known.cause.reason;
  else if (exit.signal !== null) how = `it was ended by ${exit.signal}`;
  else if (known.contradicts === true) how = `its result does not go with its exit code ${exit.exitCode}`;
  return new AgentContainersError(
    'cli-output-invalid',
    `Running \`devcontainer ${what}\` failed: ${how}. ${known.cause?.next ?? 'Read the log and try again'}.`,
    { details: { command: failedCommand(exit, command, tail) } },
  );
}
