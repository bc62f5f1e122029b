import type { FindingKind } from '../../agentcontainers/model/verdict.ts';
import type { Report } from './finding-list.ts';
import { isNothing } from './records.ts';

/** What is known about the options of a command; long names with `--`, short ones with `-`. */
export interface KnownOptions {
  /** Harmless options that take no value. */
  readonly switches: ReadonlySet<string>;
  /** Options with a value, and which values are harmless. */
  readonly values: ReadonlyMap<string, (value: string) => boolean>;
  /** Long options by their letter. */
  readonly letters: ReadonlyMap<string, string>;
  /** What those that are not harmless are, by name; anything else is a `run-argument`. */
  readonly kinds: ReadonlyMap<string, FindingKind>;
}

/**
 * Arguments that a configuration adds to a command of the engine's client. Every argument that is not known to be
 * harmless is a finding: an unknown option, a value in its place or none, and what is no option, since it would be
 * taken for the image.
 */
export function argumentFindings(given: unknown, property: string, known: KnownOptions, report: Report): void {
  if (isNothing(given)) return;
  if (!Array.isArray(given) || given.some((argument) => typeof argument !== 'string')) {
    return report('run-argument', property, given);
  }
  const all = given as readonly string[];
  for (let at = 0; at < all.length;) {
    const option = readOption(all[at] ?? '', all[at + 1], known);
    let end = at + (option.takesNext ? 2 : 1);
    // What follows may be its value; shown with it, it is never lost.
    while (!option.isHarmless && !option.takesNext && all[end]?.startsWith('-') === false) end++;
    const text = all.slice(at, end);
    at = end;
    if (option.isHarmless) continue;
    report(known.kinds.get(option.name) ?? 'run-argument', property, text.every(isPlain) ? text.join(' ') : text);
  }
}

interface Option {
  readonly name: string;
  readonly isHarmless: boolean;
  /** The argument after it is its value. */
  readonly takesNext: boolean;
}

/** Reads one argument as the client's own parser does. */
function readOption(argument: string, next: string | undefined, known: KnownOptions): Option {
  const [, long, value] = /^(--[A-Za-z0-9][\w-]*)(?:=([\s\S]*))?$/.exec(argument) ?? [];
  if (long !== undefined && !known.switches.has(long)) return withValue(long, value, next, known);
  if (long !== undefined) return alone(long, value === undefined || /^(?:true|false)$/.test(value));
  // `-it`, `-eNAME=value`, `-e=NAME=value`: letters up to the first that takes a value.
  if (!/^-[A-Za-z]/.test(argument)) return alone(argument, false);
  for (let at = 1; at < argument.length; at++) {
    const name = known.letters.get(argument.charAt(at));
    if (name !== undefined && known.switches.has(name) && argument.charAt(at + 1) !== '=') continue;
    const after = argument.slice(at + 1);
    if (name === undefined || !known.values.has(name)) return alone(name ?? `-${argument.charAt(at)}`, false);
    return withValue(name, after === '' ? undefined : after.replace(/^=/, ''), next, known);
  }
  return alone(argument, true);
}

function withValue(name: string, attached: string | undefined, next: string | undefined, known: KnownOptions): Option {
  const isHarmless = known.values.get(name);
  if (isHarmless === undefined) return alone(name, false);
  if (attached !== undefined) return alone(name, isHarmless(attached));
  // Without a value it would take the argument that comes after all of these.
  return next === undefined ? alone(name, false) : { name, isHarmless: isHarmless(next), takesNext: true };
}

function alone(name: string, isHarmless: boolean): Option {
  return { name, isHarmless, takesNext: false };
}

/** An argument that can stand among others, so that two ways to cut a line into arguments never look the same. */
function isPlain(argument: string): boolean {
  return /^[^\s"]+$/.test(argument);
}
