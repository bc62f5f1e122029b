import type { CliFailure } from '../agentcontainers/ports.ts';
import { firstSentence, isStackFrame, plainText, shorten } from '../text/plain-text.ts';
import type { ContainerEnd } from './container-end.ts';
import { causeIn, machineCauseIn, type Cause } from './failure-causes.ts';
import { ENDED_AT_ONCE } from './failure-rules.ts';
import type { Redact } from './redaction.ts';
import type { LastStep } from './run-tracker.ts';
import { isHook } from './wait-for.ts';

const MAX_REASON = 300;
const MAX_COMMAND = 2_000;
/** The exit code of what was killed, by whatever. */
const KILLED = 137;
const COMMAND_FAILED = /^Command failed: /;
/** What the CLI says when it has nothing to say. */
const NOTHING_SAID = /^An error occurred (?:setting up|building) the container\.?$/;

/** The command that failed, if the CLI says that it was one. */
export function failedCommandOf(result: { readonly message: string }): string | undefined {
  const said = firstSentence(result.message);
  return COMMAND_FAILED.test(said) ? said.replace(COMMAND_FAILED, '') : undefined;
}

/** Whether this can have gone wrong since the container ended. A hook that failed by itself has an exit code of its own. */
export function mayBeForItsEnd({ phase, exitCode }: Pick<LastStep, 'phase' | 'exitCode'>): boolean {
  return !isHook(phase) || (exitCode ?? KILLED) === KILLED;
}

/**
 * Turns the CLI's result and the step it died in into something a person can act on: what was being done, why it did not
 * work, what to do next. No stack trace, no path of the CLI, no escape sequence, no secret.
 *
 * @param defaultPhase of a failure outside of any step
 */
export function explainFailure(
  result: {
    readonly message: string;
    readonly description: string;
    readonly containerId?: string | undefined;
    /** Set when the container that there is has ended meanwhile. */
    readonly end?: ContainerEnd | undefined;
  },
  step: LastStep,
  redact: Redact,
  defaultPhase = 'other',
): CliFailure {
  const failedCommand = failedCommandOf(result);
  const phase = phaseOf(step, defaultPhase);
  const command = isHook(phase) ? (failedCommand ?? step.command) : (step.command ?? failedCommand);
  const said = firstSentence(result.message) || firstSentence(result.description) || 'no reason was given';
  const { reason, next } = causeOf(phase, step, said, failedCommand, result);
  const message = `${doing(phase, step)} failed: ${shorten(oneLine(reason), MAX_REASON)}. ${next}.`;
  return {
    outcome: 'error',
    ...(result.containerId === undefined ? {} : { containerId: result.containerId }),
    message: redact(message),
    phase,
    ...(command === undefined ? {} : { command: redact(shorten(plainText(command), MAX_COMMAND)) }),
    ...(step.exitCode === undefined ? {} : { exitCode: step.exitCode }),
    outputTail: redact(withoutCliTraces(isHook(phase) ? step.outputTail : result.end?.output || step.outputTail)),
  };
}

function phaseOf({ phase, command }: LastStep, defaultPhase: string): string {
  if (phase !== 'other') return phase;
  // Compose puts the files together before anything else.
  return command !== undefined && /compose\b.* config$/.test(command) ? 'configuration' : defaultPhase;
}

function doing(phase: string, { command }: LastStep): string {
  if (isHook(phase)) return `Running the ${phase}`;
  if (phase === 'configuration') return 'Reading the compose files';
  if (phase === 'create') return 'Creating the container';
  if (phase === 'build') return /^\S+ pull /.test(command ?? '') ? 'Pulling the image' : 'Building the image';
  return 'Bringing up the dev container';
}

function causeOf(
  phase: string,
  step: LastStep,
  said: string,
  failedCommand: string | undefined,
  { containerId, end }: { readonly containerId?: string | undefined; readonly end?: ContainerEnd | undefined },
): Cause {
  if (isHook(phase)) return causeOfHook(phase, step, said, failedCommand, containerId, end);
  const known =
    causeIn(step.outputTail) ??
    causeIn(said) ??
    (end === undefined ? undefined : causeOfEnd(end, 'its command ended at once')) ??
    // What the CLI asked on the way, and what it did not mean for people, only when nothing better is known.
    (failedCommand !== undefined || NOTHING_SAID.test(said) ? causeIn(`${step.clue ?? ''}\n${step.noise}`) : undefined);
  if (known !== undefined) return known;
  const lastLine = lastLineOf(withoutCliTraces(step.outputTail));
  const reason =
    failedCommand === undefined
      ? ((NOTHING_SAID.test(said) ? lastLine : undefined) ?? said)
      : (lastLine ?? step.clue ?? `\`${shorten(failedCommand, 120)}\` did not exit with code 0`);
  return {
    reason,
    next:
      phase === 'build'
        ? 'Correct the image name, Dockerfile or features, and try again'
        : 'Read the log, correct the configuration, and try again',
  };
}

function causeOfHook(
  hook: string,
  step: LastStep,
  said: string,
  failedCommand: string | undefined,
  containerId: string | undefined,
  end: ContainerEnd | undefined,
): Cause {
  // Not by what it wrote: a hook may speak of engines of its own.
  const machine = machineCauseIn(`${step.clue ?? ''}\n${step.noise}`);
  if (machine !== undefined) return machine;
  if (end !== undefined && mayBeForItsEnd(step)) return causeOfEnd(end, "the container's own command ended meanwhile");
  const lastLine = lastLineOf(step.outputTail);
  const missing = /^spawn (\S+) ENOENT$/.exec(said)?.[1];
  let reason = said;
  if (step.exitCode !== undefined) reason = exitReason(step.exitCode);
  else if (missing !== undefined) reason = `the program ${missing} was not found on this machine`;
  else if (failedCommand !== undefined)
    reason = lastLine === undefined ? 'it did not exit with code 0' : `its last output was: ${lastLine}`;
  const next =
    containerId === undefined
      ? `Correct the ${hook} and try again`
      : `The container is there all the same. Correct the ${hook} and recreate`;
  return { reason, next };
}

/** The container has ended, and everything in it was killed. */
function causeOfEnd({ exitCode, outOfMemory }: ContainerEnd, what: string): Cause {
  return {
    reason: outOfMemory ? `${what}: it was killed for want of memory` : `${what}, with exit code ${exitCode}`,
    next: ENDED_AT_ONCE.next,
  };
}

/** As shells count: 126 and 127 are their own, and what lies above 128 names a signal. */
function exitReason(code: number): string {
  if (code === 126 || code === 127) return `its command was not found or cannot be run (exit code ${code})`;
  if (code === KILLED) return 'it was killed, by hand or for want of memory (exit code 137)';
  if (code > 128 && code < 160) return `it was ended by the signal ${code - 128} (exit code ${code})`;
  return `it exited with code ${code}`;
}

/** The last line, or the last one that says that it is the error. */
function lastLineOf(text: string): string | undefined {
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  return lines.findLast((line) => /^(?:docker: )?(?:error|fatal)\b/i.test(line.trim())) ?? lines.at(-1);
}

/** Without what programs put around their reasons. */
function oneLine(text: string): string {
  return plainText(text)
    .replace(/\s+/g, ' ')
    .trim()
    .replace(/^(?:docker: |ERROR: |Error response from daemon: )+/, '')
    .replace(/(?<![.:\s])[.:\s]+$/, '');
}

/** Without lines in which the CLI speaks about its own files, and without hints at manuals of other programs. */
export function withoutCliTraces(text: string): string {
  return text
    .split('\n')
    .filter(
      (line) =>
        !isStackFrame(line) &&
        !/devContainersSpecCLI\.js|@devcontainers[\\/]cli[\\/]|^(?:Run|See) '.*--help'/.test(line),
    )
    .join('\n')
    .trimEnd();
}
