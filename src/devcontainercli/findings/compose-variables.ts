import { mayBeInEnvironment } from '../child-environment.ts';
import type { ExpansionBudget } from '../inputs/expansion-budget.ts';
import { MAX_EXPANDED_TEXT } from '../inputs/input-bounds.ts';

/** A text of a compose file after what of it can be known. */
export interface Interpolated {
  /** With every variable replaced; as written when one of them is not known, or it would be too long. */
  readonly text: string;
  /** Variables that come from the environment of whoever runs compose. */
  readonly fromHost: ReadonlySet<string>;
}

export type Interpolate = (text: string) => Interpolated;

const MAX_DEPTH = 20;
const NAME = /[A-Za-z_][A-Za-z0-9_]*/y;
const OUTER_TEXT = /[^$]+/y;
const INNER_TEXT = /[^$}]+/y;

/**
 * Replaces `$NAME`, `${NAME}`, `${NAME:-default}` and their like as compose does.
 * @param variables what compose reads from files; a variable of the environment comes before them
 * @param budget what is made of them; without one every text stays as written, and only tells what it asks the host for
 */
export function interpolation(
  variables: Readonly<Record<string, string>>,
  budget: ExpansionBudget | undefined,
): Interpolate {
  const known = new Map<string, string | undefined>();
  const valueOf = (name: string): string | undefined => {
    const value = known.has(name) ? known.get(name) : knownVariable(name, variables);
    known.set(name, value);
    return value;
  };
  return (text) => {
    if (!text.includes('$')) return { text, fromHost: new Set() };
    const fromHost = new Set<string>();
    const reader = new Reader(text, valueOf, fromHost, budget?.allows(text) === true ? MAX_EXPANDED_TEXT : 0);
    const result = reader.all();
    budget?.spend(text, reader.isTooLong ? undefined : (result ?? ''));
    return { text: result !== undefined && !reader.isTooLong && fromHost.size === 0 ? result : text, fromHost };
  };
}

/** The value of a variable, unless the environment of the host may have another. */
export function knownVariable(name: string, variables: Readonly<Record<string, string>>): string | undefined {
  const isKnown = Object.hasOwn(variables, name) && !mayBeInEnvironment(name);
  const value = isKnown ? variables[name] : undefined;
  // A value may be made of other variables, those of the host among them.
  return value?.includes('$') ? undefined : value;
}

/** Reads one text from the left; each part of it once. */
class Reader {
  #at = 0;
  readonly #text: string;
  readonly #valueOf: (name: string) => string | undefined;
  readonly #fromHost: Set<string>;
  readonly #maxLength: number;
  /** It is read to its end all the same: whatever it asks the host for counts. */
  isTooLong = false;

  constructor(text: string, valueOf: (name: string) => string | undefined, fromHost: Set<string>, maxLength: number) {
    this.#text = text;
    this.#valueOf = valueOf;
    this.#fromHost = fromHost;
    this.#maxLength = maxLength;
  }

  /** `undefined` when it is not as compose takes it. */
  all(): string | undefined {
    const result = this.#until('', 0);
    return this.#at === this.#text.length ? result : undefined;
  }

  /** Up to the end, or to a brace that closes. */
  #until(end: '' | '}', depth: number): string | undefined {
    let result: string | undefined = '';
    while (this.#at < this.#text.length && this.#text.charAt(this.#at) !== end) {
      const part = this.#match(end === '' ? OUTER_TEXT : INNER_TEXT) ?? this.#variable(depth);
      result = part === undefined || result === undefined ? undefined : result + part;
      if ((result?.length ?? 0) <= this.#maxLength) continue;
      this.isTooLong = true;
      result = '';
    }
    return result;
  }

  /** At a dollar sign. */
  #variable(depth: number): string | undefined {
    this.#at++;
    if (this.#take('$')) return '$';
    if (!this.#take('{')) {
      const name = this.#name();
      return name === undefined ? undefined : (this.#value(name) ?? '');
    }
    const name = this.#name();
    if (name === undefined || depth === MAX_DEPTH) return undefined;
    const value = this.#value(name);
    const orEmpty = this.#take(':');
    const operator = this.#text.charAt(this.#at);
    if (operator === '}' && !orEmpty) {
      this.#at++;
      return value ?? '';
    }
    if (!['-', '?', '+'].includes(operator)) return undefined;
    this.#at++;
    const other = this.#until('}', depth + 1);
    if (!this.#take('}')) return undefined;
    const isSet = value !== undefined && !(orEmpty && value === '');
    if (operator === '+') return isSet ? other : '';
    return isSet ? value : operator === '-' ? other : undefined;
  }

  #value(name: string): string | undefined {
    const value = this.#valueOf(name);
    if (value === undefined) this.#fromHost.add(name);
    return value;
  }

  #name(): string | undefined {
    return this.#match(NAME);
  }

  #match(sticky: RegExp): string | undefined {
    sticky.lastIndex = this.#at;
    const found = sticky.exec(this.#text)?.[0];
    this.#at += found?.length ?? 0;
    return found;
  }

  #take(character: string): boolean {
    const isThere = this.#text.startsWith(character, this.#at);
    if (isThere) this.#at += character.length;
    return isThere;
  }
}
