import type { CliLogEvent } from './cli-log.ts';
import { commandPhase } from './engine-command.ts';
import { createOutputTail } from './output-tail.ts';
import { plainText, shorten } from '../text/plain-text.ts';
import { createRecentSteps, type RecentStep } from './recent-steps.ts';
import type { Hook } from './wait-for.ts';
import { isHook } from './wait-for.ts';

/** One thing to show, before redaction. */
export interface Step {
  readonly phase: string;
  readonly text: string;
  readonly level: number;
}

/** What was going on when the run ended. */
export interface LastStep {
  readonly phase: string;
  /** The command of the step; for a hook what the configuration says. */
  readonly command: string | undefined;
  readonly exitCode: number | undefined;
  readonly outputTail: string;
  /** What the engine's client said outside of any step, e.g. that it cannot connect. */
  readonly clue: string | undefined;
  /** What was written that is no log line, e.g. by what the CLI keeps open in the container; without stack traces. */
  readonly noise: string;
}

export interface RunTracker {
  accept(event: CliLogEvent): void;
  /**
   * The step that failed, as far as that can be told: the one whose command is `failedCommand`, else the last one. When
   * no command failed, it is the start of the container that went wrong, if that was tried.
   */
  lastStep(failedCommand?: string): LastStep;
}

const MAX_TEXT = 4_000;
const MAX_COMMAND = 2_000;
const MAX_START = 300;
/** Anything quieter is the CLI's own tracing, some of which carries environments. */
const MIN_LEVEL = 2;
/** Users want this level and above. */
const USER_LEVEL = 3;

const HOOK_HEADER = /^Running (?:the (\w+) from (.+)|one of (\w+) from (.+)|'.*' from (\w+))\.\.\.\s*$/;
const EXIT_CODES = [
  /failed with exit code (\d{1,3})\b/,
  /returned a non-zero code: (\d{1,3})\b/,
  /(?:did not complete successfully|executor failed running \[.{0,2000}\]): exit code: (\d{1,3})\b/, // Podman's builder.
  /while running runtime: exit status (\d{1,3})\b/,
];
const CLUE =
  /cannot connect to |couldn't connect to|permission denied while trying to connect|error during connect|error waiting for container: |ENOENT|no space left on device|lockfile does not/i;

/**
 * Follows a run of the CLI: which phase it is in, what of its log is worth showing, and the output of the last steps.
 *
 * INVARIANTS
 * - Only the CLI's own progress lines begin a hook after `initializeCommand`; output of a container cannot.
 * - Memory is bounded by the tails of a few steps, whatever the run prints.
 */
export function createRunTracker(callbacks: {
  readonly onStep: (step: Step) => void;
  /** Called when a hook's script begins; once for each layer that has one. */
  readonly onHook: (hook: Hook) => void;
}): RunTracker {
  const steps = createRecentSteps();
  const noise = createOutputTail();
  /** What the container's own command writes while a hook runs. */
  const besides = createOutputTail();
  /** The command whose end was said last: what follows at once is about it. */
  let ended: RecentStep | undefined;
  let clue: string | undefined;
  let origin: { readonly hook: string; readonly from: string } | undefined;
  let hookRunning = false;

  const show = (text: string, level: number): void => {
    const { phase } = steps.current;
    if (text.trim() !== '') callbacks.onStep({ phase, text: shorten(text, MAX_TEXT), level });
  };
  const showLines = (lines: readonly string[], level: number): void => show(lines.join('\n'), level);
  const begin = (next: string, what: string | undefined): void => {
    showLines(steps.current.tail.flush(), USER_LEVEL);
    ended = undefined;
    steps.begin(next, what === undefined || what === '' ? undefined : commandText(what));
  };
  const beginHook = (hook: Hook, detail: string | undefined): void => {
    begin(hook, detail);
    const { command } = steps.current;
    const from = origin?.hook === hook ? ` from ${origin.from}` : '';
    show(`Running ${hook}${from}${command === undefined ? '' : `: ${shorten(command, MAX_START)}`}`, USER_LEVEL);
    callbacks.onHook(hook);
  };
  const findExitCode = (text: string): void => {
    for (const pattern of EXIT_CODES) {
      const code = pattern.exec(text)?.[1];
      if (code !== undefined) steps.current.exitCode = Number(code);
    }
  };
  const noteClue = (text: string): void => {
    const line = plainText(text)
      .split('\n')
      .find((candidate) => CLUE.test(candidate));
    if (line !== undefined) clue = shorten(line.trim(), MAX_START);
  };
  const isHookHeader = (text: string): boolean => {
    const header = HOOK_HEADER.exec(plainText(text).trim());
    const hook = header?.[1] ?? header?.[3] ?? header?.[5];
    if (!isHook(hook)) return false;
    if (hookRunning) return true;
    origin = { hook, from: shorten(header?.[2] ?? header?.[4] ?? 'devcontainer.json', MAX_START) };
    // The only hook without progress lines, and the only one before there is a container that could print a header.
    if (hook === 'initializeCommand' && steps.current.phase === 'other') beginHook('initializeCommand', undefined);
    return true;
  };

  return {
    accept(event) {
      switch (event.type) {
        case 'hook':
          if (event.status === 'running') {
            // A hook made of several commands announces each of them: they are one step.
            if (!hookRunning || steps.current.phase !== event.hook) beginHook(event.hook, event.detail);
            hookRunning = true;
            return;
          }
          showLines(steps.current.tail.flush(), USER_LEVEL);
          hookRunning = false;
          if (event.status === 'succeeded') begin('other', undefined);
          return;
        case 'start': {
          if (event.inHook) {
            if (steps.current.phase === 'initializeCommand')
              steps.current.command ??= commandText(event.text.replace(/^Run: /, ''));
            return;
          }
          ended = undefined;
          const next = hookRunning ? undefined : commandPhase(event.text);
          if (next === undefined) return;
          begin(next, event.text.startsWith('Run: ') ? event.text.slice(5) : undefined);
          if (event.level >= MIN_LEVEL) show(shorten(plainText(event.text), MAX_START), event.level);
          return;
        }
        case 'stop':
          if (!event.inHook && event.text.startsWith('Run: '))
            ended = steps.withCommand(commandText(event.text.slice(5)));
          return;
        case 'raw': {
          if (event.level < MIN_LEVEL || (event.inHook && isHookHeader(event.text))) return;
          if (hookRunning && !event.inHook) {
            noteClue(event.text);
            return showLines(besides.push(event.text), event.level);
          }
          if (steps.current.phase === 'build') findExitCode(event.text);
          const level = steps.current.phase === 'other' ? event.level : Math.max(event.level, USER_LEVEL);
          showLines(steps.current.tail.push(event.text), level);
          return;
        }
        case 'text': {
          const text = plainText(event.text).trimEnd();
          noteClue(text);
          if (event.inHook) findExitCode(text);
          else if (ended !== undefined && event.level >= MIN_LEVEL) noteEnd(ended, text);
          if (event.level >= USER_LEVEL) show(text, event.level);
          return;
        }
        case 'noise':
          noteClue(event.text);
          // What looks like a log line is one of a kind that is not known, or one that was cut.
          if (!event.text.startsWith('{')) noise.push(`${event.text}\n`);
          return;
      }
    },
    lastStep(failedCommand) {
      showLines(steps.current.tail.flush(), USER_LEVEL);
      const failed = failedStep(failedCommand);
      const { phase, command, exitCode } = failed ?? { phase: 'other', command: undefined, exitCode: undefined };
      return { phase, command, exitCode, outputTail: failed?.tail.text() ?? '', clue, noise: noise.text() };
    },
  };

  function failedStep(failedCommand: string | undefined): RecentStep | undefined {
    const { current } = steps;
    if (isHook(current.phase)) return current;
    if (failedCommand !== undefined) return steps.withCommand(commandText(failedCommand)) ?? current;
    // What the CLI asked the engine last has nothing to do with a fault that it found itself.
    return current.phase === 'other' ? steps.withPhase('create') : current;
  }
}

function commandText(text: string): string {
  return shorten(plainText(text), MAX_COMMAND);
}

/** What a command wrote that was not shown while it ran, and its exit code. */
function noteEnd(step: RecentStep, text: string): void {
  const code = /^Exit code (\d{1,3})$/.exec(text.trim())?.[1];
  if (code !== undefined) step.exitCode = Number(code);
  else if (text.trim() !== '') step.tail.push(`${text}\n`);
}
