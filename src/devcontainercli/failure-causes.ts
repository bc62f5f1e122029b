import { shorten } from '../text/plain-text.ts';
import { ENGINE_CUT_OFF, ENGINE_LOST, FAILURE_RULES, FULL, NO_ENGINE, type FailureRule } from './failure-rules.ts';

/** Why a step failed, and what a person can do; without full stops at their ends. */
export interface Cause {
  readonly reason: string;
  readonly next: string;
}

/** Bounds the work of patterns, since a workspace may write anything. */
const MAX_LINE = 1_000;

/**
 * The cause that a text speaks of, if it is a known one. The text may be anything that a workspace makes a program say;
 * at worst the wrong cause is named.
 */
export function causeIn(text: string): Cause | undefined {
  return firstOf(FAILURE_RULES, text);
}

/** As {@link causeIn}, but only what the machine is to blame for, for steps that run commands of a workspace. */
export function machineCauseIn(text: string): Cause | undefined {
  return firstOf([NO_ENGINE, ENGINE_LOST, ENGINE_CUT_OFF, FULL], text);
}

function firstOf(rules: readonly FailureRule[], text: string): Cause | undefined {
  const lines = text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => shorten(line.trim(), MAX_LINE));
  for (const { pattern, reason, next, isLastWord } of rules) {
    // What was said last is nearest to the failure.
    for (let at = lines.length - 1; at >= (isLastWord === true ? lines.length - 1 : 0); at--) {
      const match = pattern.exec(`${lines[at] ?? ''}${isLastWord === true ? '' : `\n${lines[at + 1] ?? ''}`}`);
      if (match !== null) return { reason: reason(match).trim(), next };
    }
  }
  return undefined;
}
