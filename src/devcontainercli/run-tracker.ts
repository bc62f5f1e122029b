import type { CliLogEvent } from './cli-log.ts';
import { commandPhase } from './engine-command.ts';
import { createOutputTail } from './output-tail.ts';
import { plainText, shorten } from '../text/plain-text.ts';
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
}

export interface RunTracker {
  accept(event: CliLogEvent): void;
  lastStep(): LastStep;
}

const MAX_TEXT = 4_000;
const MAX_COMMAND = 2_000;
const MAX_START = 300;
/** Anything quieter is the CLI's own tracing, some of which carries environments. */
const MIN_LEVEL = 2;
/** Users want this level and above. */
const USER_LEVEL = 3;

const HOOK_HEADER = /^Running the (\w+) from (.+)\.\.\.\s*$/;
const EXIT_CODES = [
  /failed with exit code (\d{1,3})\b/,
  /returned a non-zero code: (\d{1,3})\b/,
  /did not complete successfully: exit code: (\d{1,3})\b/,
];
const CLUE =
  /cannot connect to the .*daemon|permission denied while trying to connect|error during connect|ENOENT|no space left on device|lockfile does not/i;

/**
 * Follows a run of the CLI: which phase it is in, what of its log is worth showing, and the output of the present step.
 *
 * INVARIANTS
 * - Only the CLI's own progress lines begin a hook after `initializeCommand`; output of a container cannot.
 * - Memory is bounded by one step's tail, whatever the run prints.
 */
export function createRunTracker(callbacks: {
  readonly onStep: (step: Step) => void;
  /** Called when a hook's script begins; once for each layer that has one. */
  readonly onHook: (hook: Hook) => void;
}): RunTracker {
  const tail = createOutputTail();
  let phase = 'other';
  let command: string | undefined;
  let exitCode: number | undefined;
  let clue: string | undefined;
  let origin: { readonly hook: string; readonly from: string } | undefined;
  let hookRunning = false;

  const show = (text: string, level: number, as = phase): void => {
    if (text.trim() !== '') callbacks.onStep({ phase: as, text: shorten(text, MAX_TEXT), level });
  };
  const showLines = (lines: readonly string[], level: number): void => show(lines.join('\n'), level);
  const begin = (next: string, what: string | undefined): void => {
    showLines(tail.flush(), USER_LEVEL);
    tail.reset();
    phase = next;
    command = what === undefined || what === '' ? undefined : shorten(plainText(what), MAX_COMMAND);
    exitCode = undefined;
  };
  const beginHook = (hook: Hook, detail: string | undefined): void => {
    begin(hook, detail);
    const from = origin?.hook === hook ? ` from ${origin.from}` : '';
    show(`Running ${hook}${from}${command === undefined ? '' : `: ${shorten(command, MAX_START)}`}`, USER_LEVEL);
    callbacks.onHook(hook);
  };
  const findExitCode = (text: string): void => {
    for (const pattern of EXIT_CODES) {
      const code = pattern.exec(text)?.[1];
      if (code !== undefined) exitCode = Number(code);
    }
  };
  const isHookHeader = (text: string): boolean => {
    const header = HOOK_HEADER.exec(plainText(text).trim());
    if (header === null || !isHook(header[1])) return false;
    origin = { hook: header[1], from: shorten(header[2] ?? '', MAX_START) };
    // The only hook without progress lines, and the only one before there is a container that could print a header.
    if (header[1] === 'initializeCommand' && phase === 'other') beginHook('initializeCommand', undefined);
    return true;
  };

  return {
    accept(event) {
      switch (event.type) {
        case 'hook':
          if (event.status === 'running') {
            // A hook made of several commands announces each of them: they are one step.
            if (!hookRunning || phase !== event.hook) beginHook(event.hook, event.detail);
            hookRunning = true;
            return;
          }
          showLines(tail.flush(), USER_LEVEL);
          hookRunning = false;
          if (event.status === 'succeeded') begin('other', undefined);
          return;
        case 'start': {
          if (event.inHook) {
            if (phase === 'initializeCommand')
              command ??= shorten(plainText(event.text.replace(/^Run: /, '')), MAX_COMMAND);
            return;
          }
          const next = hookRunning ? undefined : commandPhase(event.text);
          if (next === undefined) return;
          begin(next, event.text.startsWith('Run: ') ? event.text.slice(5) : undefined);
          if (event.level >= MIN_LEVEL) show(shorten(plainText(event.text), MAX_START), event.level);
          return;
        }
        case 'stop':
          return;
        case 'raw': {
          if (event.level < MIN_LEVEL || (event.inHook && !hookRunning && isHookHeader(event.text))) return;
          if (phase === 'build') findExitCode(event.text);
          showLines(tail.push(event.text), phase === 'other' ? event.level : Math.max(event.level, USER_LEVEL));
          return;
        }
        case 'text': {
          const text = plainText(event.text).trimEnd();
          if (CLUE.test(text)) clue = shorten(text.trim().split('\n', 1)[0] ?? '', MAX_START);
          if (event.inHook) findExitCode(text);
          if (event.level >= USER_LEVEL) show(text, event.level);
          return;
        }
        case 'noise':
          if (CLUE.test(event.text)) clue = shorten(plainText(event.text).trim(), MAX_START);
          return;
      }
    },
    lastStep() {
      showLines(tail.flush(), USER_LEVEL);
      return { phase, command, exitCode, outputTail: tail.text(), clue };
    },
  };
}
