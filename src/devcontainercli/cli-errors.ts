import type { EntryKey } from '../agentcontainers/model/devcontainer.ts';
import type { ConfigSnapshot, UpOutcome } from '../agentcontainers/ports.ts';
import { AgentContainersError, cancelled, isAgentContainersError, type FailedCommand } from '../errors.ts';
import type { ProcessGroupExit } from './process-group.ts';

type Failure = Extract<UpOutcome, { outcome: 'error' }>;

/** Throws `cancelled` when the signal is aborted, whatever reason it was aborted with. */
export function throwIfAborted(signal: AbortSignal): void {
  if (!signal.aborted) return;
  const reason: unknown = signal.reason;
  if (isAgentContainersError(reason, 'cancelled')) throw reason;
  const error = cancelled('caller-left');
  throw new AgentContainersError('cancelled', error.message, { cause: reason, details: error.details });
}

/** The outcome of an `up` that was refused before the CLI was started. */
export function refusedUp(phase: string, message: string): Failure {
  return { outcome: 'error', phase, message, outputTail: '' };
}

/** One sentence and the next step for a configuration that cannot be used. */
export function unusableConfiguration(key: EntryKey, config: Exclude<ConfigSnapshot, { kind: 'valid' }>): string {
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
): AgentContainersError {
  const how =
    exit.signal === null ? `it ended with code ${exit.exitCode} and no valid result` : `it was ended by ${exit.signal}`;
  return new AgentContainersError(
    'cli-output-invalid',
    `Running \`devcontainer ${what}\` failed: ${how}. Read the log and try again.`,
    { details: { command: failedCommand(exit, command, tail) } },
  );
}
