import { createExpansionBudget, type ExpansionBudget } from './expansion-budget.ts';
import { MAX_EXPANDED_TEXT } from './input-bounds.ts';

/** The value of a variable; `null` when it is not set, `undefined` when that cannot be told from the files. */
export type Lookup = (name: string) => string | null | undefined;

const NAME = /^[A-Za-z_][A-Za-z0-9_]*/;
/** What means itself; taken at once, since a text that was put together of single characters takes much memory. */
const PLAIN = { compose: /[^$]+/y, dockerfile: /[^$\\'"]+/y } as const;
/** Nested defaults, e.g. `${A:-${B:-c}}`. */
const MAX_NESTING = 10;

/**
 * Replaces `$NAME`, `${NAME}` and the operators `:-`, `-`, `:+`, `+`, `:?`, `?`, as compose files and Dockerfiles know
 * them.
 *
 * @param budget of the look at a configuration; default one for this text alone
 * @returns `undefined` when the result depends on what is not known, cannot be understood, or is too long
 */
export function expandVariables(
  text: string,
  lookup: Lookup,
  dialect: Dialect,
  budget: ExpansionBudget = createExpansionBudget(() => {}),
): string | undefined {
  if (!budget.allows(text)) return undefined;
  try {
    const result = expand(text, lookup, dialect, 0);
    budget.spend(text, result ?? '');
    return result;
  } catch (error) {
    if (!(error instanceof TooLong)) throw error;
    budget.spend(text, undefined);
    return undefined;
  }
}

type Dialect = 'compose' | 'dockerfile';

class TooLong extends Error {}

function expand(text: string, lookup: Lookup, dialect: Dialect, nesting: number): string | undefined {
  if (nesting > MAX_NESTING) return undefined;
  let result = '';
  for (let at = 0; at < text.length;) {
    if (result.length > MAX_EXPANDED_TEXT) throw new TooLong();
    const character = text[at] ?? '';
    if (dialect === 'dockerfile' && character === '\\' && at + 1 < text.length) {
      result += text[at + 1] ?? '';
      at += 2;
      continue;
    }
    if (dialect === 'dockerfile' && character === "'") {
      const end = text.indexOf("'", at + 1);
      if (end < 0) return undefined;
      result += text.slice(at + 1, end);
      at = end + 1;
      continue;
    }
    if (dialect === 'dockerfile' && character === '"') {
      at++;
      continue;
    }
    if (character !== '$') {
      PLAIN[dialect].lastIndex = at;
      const plain = PLAIN[dialect].exec(text)?.[0] ?? character;
      result += plain;
      at += plain.length;
      continue;
    }
    if (dialect === 'compose' && text[at + 1] === '$') {
      result += '$';
      at += 2;
      continue;
    }
    const braced = text[at + 1] === '{';
    const start = at + (braced ? 2 : 1);
    const name = NAME.exec(text.slice(start, start + 256))?.[0];
    if (name === undefined) return undefined;
    const end = braced ? closingBrace(text, start) : start + name.length;
    if (end === undefined) return undefined;
    const value = braced
      ? withOperator(lookup(name), text.slice(start + name.length, end), (word) =>
          expand(word, lookup, dialect, nesting + 1),
        )
      : lookup(name);
    if (value === undefined) return undefined;
    result += value ?? '';
    at = braced ? end + 1 : end;
  }
  if (result.length > MAX_EXPANDED_TEXT) throw new TooLong();
  return result;
}

function closingBrace(text: string, from: number): number | undefined {
  let depth = 1;
  for (let at = from; at < text.length; at++) {
    if (text[at] === '{' && text[at - 1] === '$') depth++;
    if (text[at] === '}' && --depth === 0) return at;
  }
  return undefined;
}

function withOperator(
  value: string | null | undefined,
  operation: string,
  expandWord: (word: string) => string | undefined,
): string | null | undefined {
  if (operation === '') return value;
  const [, colon, operator, word] = /^(:?)([-+?])([^]*)$/.exec(operation) ?? [];
  if (operator === undefined || value === undefined) return undefined;
  const isGiven = value !== null && (colon === '' || value !== '');
  if (operator === '-') return isGiven ? value : expandWord(word ?? '');
  if (operator === '+') return isGiven ? expandWord(word ?? '') : '';
  return isGiven ? value : undefined;
}
