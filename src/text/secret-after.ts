import type { LineSoFar } from './line-cursor.ts';
import {
  endOfBlock,
  endOfBraced,
  endOfBrackets,
  endOfContinued,
  endOfLine,
  endOfQuoted,
  endOfWord,
  lineEndAfter,
} from './value-extent.ts';

export interface NamedSecret {
  /** Where the name begins, with the dashes of an option. */
  readonly from: number;
  readonly name: string;
  readonly line: LineSoFar;
}

/** From, up to and without. */
export interface Extent {
  readonly from: number;
  readonly to: number;
}

const OPERATOR = /[ \t]*(=>|[:?+!]?={1,3}|:)[ \t]*/y;
const SPACE = /[ \t]+/y;
const ITEM = /\s*,\s*(?=["'])/y;
const DEFAULT = /:?[-=+]/y;
const HEADER = /^(?:proxy-)?authorization$|^x-|^(?:set-)?cookie$|^private-token$/i;
/** What may stand before the name of a pair that takes up its line. */
const BEFORE = /^[\s#;*-]*(?:export\s+)?["']?$/;
const INSTRUCTION = /^\s*(?:ENV|LABEL)\s+$/i;
const MAX_BEFORE = 200;

/** The value that belongs to a name, whatever syntax it stands in; `undefined` when none does. */
export function secretAfter(text: string, secret: NamedSecret): Extent | undefined {
  const { from, name } = secret;
  if (text.startsWith('${', from - 2)) return defaultOf(text, from, secret.line.end);
  const quote = text.startsWith('\\"', from - 2) ? '\\"' : /["']/.exec(text[from - 1] ?? '')?.[0];
  let at = from + name.length;
  const isQuoted = quote !== undefined && text.startsWith(quote, at);
  if (isQuoted) at += quote.length;
  // The quote before the name is closed behind it.
  const line = isQuoted && secret.line.around === quote ? { ...secret.line, around: undefined } : secret.line;
  if (text[at] === ':' && /\{(?:local|container)?env:$/i.test(text.slice(Math.max(0, from - 14), from))) {
    return { from: at + 1, to: endOfBraced(text, at + 1, line.end) };
  }
  const operator = match(OPERATOR, text, at);
  if (operator === undefined) return withoutOperator(text, { ...secret, line }, at, isQuoted);
  const value = at + operator.length;
  const assigned = { ...secret, line, at: value, opened: isQuoted ? undefined : quote };
  if (operator.trim() !== ':') return valueOfAssignment(text, assigned);
  const needsSpace = !isQuoted && !isAlone(text, secret) && !HEADER.test(name);
  return needsSpace && !/\s$/.test(operator) ? undefined : valueOfProperty(text, assigned, isQuoted);
}

/** `${NAME:-default}` and its like. */
function defaultOf(text: string, from: number, lineEnd: number): Extent | undefined {
  const at = from + (match(/\w+/y, text, from)?.length ?? 0);
  const operator = match(DEFAULT, text, at);
  if (operator === undefined) return undefined;
  const start = at + operator.length;
  return { from: start, to: endOfBraced(text, start, lineEnd) };
}

interface Assigned extends NamedSecret {
  /** Where the value begins. */
  readonly at: number;
  /** The quote right before the name, when the value stands in the same quotes. */
  readonly opened: string | undefined;
}

function valueOfAssignment(text: string, { at, opened, line, ...secret }: Assigned): Extent | undefined {
  if (at >= line.end) return undefined;
  if (opened !== undefined) {
    const inside = insideOf(text, at - opened.length, opened, line.end);
    const next = inside.to + opened.length;
    // `"NAME="value` is a word too.
    return inside.to > at || endsBefore(text, next)
      ? inside
      : { from: next, to: endOfWord(text, next, undefined, line.end) };
  }
  const isAloneOnLine = isAlone(text, { ...secret, line });
  const quoted = quotedAt(text, at, line);
  if (quoted !== undefined) {
    const next = text[quoted.to + 1] ?? '\n';
    if (/[\s;&|,)`\]}"'\\]/.test(next)) return quoted;
  }
  if (isAloneOnLine) {
    const to = quoted === undefined ? line.end : lineEndAfter(text, quoted.to);
    const goesOn = text[to - 1] === '\\' && !/\s/.test(text[to - 2] ?? '');
    return { from: at, to: goesOn ? endOfContinued(text, to) : endOfLine(text, at, to) };
  }
  return { from: at, to: endOfWord(text, at, quoted === undefined ? line.around : undefined, line.end) };
}

function valueOfProperty(text: string, assigned: Assigned, isQuoted: boolean): Extent | undefined {
  const { from, at, line, name } = assigned;
  const isOnOwnLine = isAlone(text, assigned);
  const quoted = quotedAt(text, at, line);
  if (quoted !== undefined) return quoted;
  if (at < line.end && /[[{]/.test(text[at] ?? '')) return { from: at, to: endOfBrackets(text, at) };
  if (isOnOwnLine) {
    const isComment = /[#;*]/.test(text.slice(line.start, from));
    const column = from - line.start - (isQuoted ? 1 : 0);
    const isEmpty = text.slice(at, line.end).trim() === '';
    const block = isComment ? line.end : endOfBlock(text, line.end, column, isEmpty);
    if (block > line.end) return { from: at, to: block };
    if (isEmpty) return isQuoted ? nextLine(text, line.end) : undefined;
    return { from: at, to: endOfLine(text, at, line.end) };
  }
  if (at >= line.end) return undefined;
  const until = line.around !== undefined && !isQuoted ? line.around : undefined;
  if (until === undefined && HEADER.test(name)) return { from: at, to: endOfWord(text, at, undefined, line.end) };
  const end = until === undefined ? /[}\]]|,(?=[\s"']|$)/ : new RegExp(until);
  const stops = until !== undefined || line.isInBraces || isQuoted;
  const found = stops ? firstAt(end, text, at, line.end) : line.end;
  return { from: at, to: endOfLine(text, at, found) };
}

/** `--name value`, `"--name", "value"`, `ENV NAME value`, `password value`. */
function withoutOperator(text: string, secret: NamedSecret, at: number, isQuoted: boolean): Extent | undefined {
  const { from, name, line } = secret;
  if (isQuoted && name.startsWith('-')) {
    const item = match(ITEM, text, at);
    const quote = item === undefined ? undefined : text[at + item.length];
    return item === undefined || quote === undefined ? undefined : insideOf(text, at + item.length, quote, text.length);
  }
  const space = match(SPACE, text, at);
  if (space === undefined || at + space.length >= line.end) return undefined;
  const value = at + space.length;
  const rest = text.slice(value, value + 5);
  const before = from - line.start > MAX_BEFORE ? undefined : text.slice(line.start, from);
  if (name.startsWith('-')) {
    if (/^(?:-|id=|type=|\\?\n)/.test(rest)) return undefined;
    return quotedAt(text, value, line) ?? { from: value, to: endOfWord(text, value, line.around, line.end) };
  }
  if (before === undefined) return undefined;
  if (INSTRUCTION.test(before)) return { from: value, to: endOfContinued(text, line.end) };
  const isNetrc = /^passw(?:or)?d$/.test(name) && /(?:^|\s)login\s/.test(before);
  if (isNetrc) return { from: value, to: endOfWord(text, value, undefined, line.end) };
  const isPair = /^[A-Z][A-Z0-9_]*$/.test(name) && BEFORE.test(before) && !rest.startsWith('\\');
  return isPair ? { from: value, to: endOfLine(text, value, line.end) } : undefined;
}

/** A quoted value, without its quotes; those may be escaped, in a string that is quoted itself. */
function quotedAt(text: string, at: number, line: LineSoFar): Extent | undefined {
  if (text.startsWith('\\"', at)) return insideOf(text, at, '\\"', line.end);
  const quote = /["']/.exec(text[at] ?? '')?.[0];
  // It may close the string in which the name stands; then no more of a word follows.
  const closes = quote === line.around && endsBefore(text, at + 1);
  return quote === undefined || closes ? undefined : insideOf(text, at, quote, text.length);
}

/** Nothing that belongs to the same word stands there. */
function endsBefore(text: string, at: number): boolean {
  return /^(?:[\s,;:)\]}&|]|$)/.test(text.slice(at, at + 1));
}

function insideOf(text: string, at: number, quote: string, limit: number): Extent {
  const from = at + quote.length;
  const end = endOfQuoted(text, from, quote, limit);
  return { from, to: end === undefined ? limit : end - quote.length };
}

/** What JSON has on the line after the name. */
function nextLine(text: string, lineEnd: number): Extent | undefined {
  const from = lineEnd + 1 + (match(/\s*/y, text, lineEnd + 1)?.length ?? 0);
  if (from >= text.length) return undefined;
  return { from, to: endOfLine(text, from, lineEndAfter(text, from)) };
}

/** Nothing but white space and marks of a list, a comment or an export stand before it on its line. */
function isAlone(text: string, { from, line }: Pick<NamedSecret, 'from' | 'line'>): boolean {
  return from - line.start <= MAX_BEFORE && BEFORE.test(text.slice(line.start, from));
}

function match(sticky: RegExp, text: string, at: number): string | undefined {
  sticky.lastIndex = at;
  return sticky.exec(text)?.[0];
}

function firstAt(pattern: RegExp, text: string, at: number, limit: number): number {
  const found = text.slice(at, limit).search(pattern);
  return found < 0 ? limit : at + found;
}
