import type { UpOutcome } from '../agentcontainers/ports.ts';
import { firstSentence, isStackFrame, plainText, shorten } from '../text/plain-text.ts';
import type { Redact } from './redaction.ts';
import type { LastStep } from './run-tracker.ts';
import { isHook } from './wait-for.ts';

type Failure = Extract<UpOutcome, { outcome: 'error' }>;

const MAX_REASON = 300;
const MAX_COMMAND = 2_000;
const COMMAND_FAILED = /^Command failed: /;

/**
 * Turns the CLI's result and the step it died in into something a person can act on: what was being done, why it did not
 * work, what to do next. No stack trace, no path of the CLI, no escape sequence, no secret.
 */
export function explainFailure(
  result: {
    readonly message: string;
    readonly description: string;
    readonly containerId?: string | undefined;
  },
  step: LastStep,
  redact: Redact,
): Failure {
  const said = firstSentence(result.message) || firstSentence(result.description) || 'no reason was given';
  const failedCommand = COMMAND_FAILED.test(said) ? said.replace(COMMAND_FAILED, '') : undefined;
  const command = isHook(step.phase) ? (failedCommand ?? step.command) : (step.command ?? failedCommand);
  const reason = shorten(oneLine(reasonOf(step, said, failedCommand)), MAX_REASON);
  const message = `${doing(step)} failed: ${reason}. ${nextStep(step, said, result.containerId)}`;
  return {
    outcome: 'error',
    ...(result.containerId === undefined ? {} : { containerId: result.containerId }),
    message: redact(message),
    phase: step.phase,
    ...(command === undefined ? {} : { command: redact(shorten(plainText(command), MAX_COMMAND)) }),
    ...(step.exitCode === undefined ? {} : { exitCode: step.exitCode }),
    outputTail: redact(withoutCliTraces(step.outputTail)),
  };
}

function doing(step: LastStep): string {
  if (isHook(step.phase)) return `Running the ${step.phase}`;
  if (step.phase === 'create') return 'Creating the container';
  if (step.phase === 'build') return /^\S+ pull /.test(step.command ?? '') ? 'Pulling the image' : 'Building the image';
  return 'Bringing up the dev container';
}

function reasonOf(step: LastStep, said: string, failedCommand: string | undefined): string {
  if (failedCommand === undefined) return said;
  if (isHook(step.phase) && step.exitCode !== undefined) return `it exited with code ${step.exitCode}`;
  const lastLine = step.outputTail
    .split('\n')
    .filter((line) => line.trim() !== '')
    .at(-1);
  if (isHook(step.phase))
    return lastLine === undefined ? 'it did not exit with code 0' : `its last output was: ${lastLine}`;
  return lastLine ?? step.clue ?? `\`${shorten(failedCommand, 120)}\` did not exit with code 0`;
}

function nextStep(step: LastStep, said: string, containerId: string | undefined): string {
  if (/lockfile does not/i.test(`${said} ${step.clue ?? ''}`)) {
    return 'Bring the lock file up to date with `devcontainer upgrade`, or delete it, and try again.';
  }
  if (
    /cannot connect|permission denied while trying|error during connect/i.test(`${step.clue ?? ''} ${step.outputTail}`)
  ) {
    return 'Check that the container engine is running and that you may use it, then try again.';
  }
  if (isHook(step.phase)) {
    return containerId === undefined
      ? `Correct the ${step.phase} and try again.`
      : `The container is there all the same. Correct the ${step.phase} and recreate.`;
  }
  if (step.phase === 'build') return 'Correct the image name, Dockerfile or features, and try again.';
  return 'Read the log, correct the configuration, and try again.';
}

function oneLine(text: string): string {
  return plainText(text)
    .replace(/\s+/g, ' ')
    .trim()
    .replace(/[.:\s]+$/, '');
}

/** Lines in which the CLI speaks about its own files. */
export function withoutCliTraces(text: string): string {
  return text
    .split('\n')
    .filter((line) => !isStackFrame(line) && !/devContainersSpecCLI\.js|@devcontainers[\\/]cli[\\/]/.test(line))
    .join('\n');
}
