/** What an env file says, as far as every reader of such files agrees about it. */
export interface EnvFile {
  /** A value of `undefined` is one that readers may take for different ones. */
  readonly values: ReadonlyMap<string, string | undefined>;
  /** It may set variables that are not in `values`. */
  readonly isAmbiguous: boolean;
}

/** Nothing in it that a reader could take for a quote, a comment, an escape or a variable. */
const PLAIN = /^(?:export )?([A-Za-z_][A-Za-z0-9_]*)=(?:([\w./:@%+,=-]*)|"([\w./:@%+,=-]*)"|'([\w./:@%+,=-]*)')$/;
const NAMED = /^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*(?:[=:]|$)/;

/**
 * Reads an env file line by line. Compose in its versions, and others, differ in quotes, comments, escapes and white
 * space; whoever decides by a value must not be misled, so only what is plain is taken for known.
 */
export function readEnvFile(text: string): EnvFile {
  const values = new Map<string, string | undefined>();
  let isAmbiguous = false;
  for (const line of text.split('\n')) {
    if (/^[ \t]*(?:#[^\r\u2028\u2029\u0085]*)?$/.test(line)) continue;
    const [, plainName, bare, double, single] = PLAIN.exec(line) ?? [];
    const name = plainName ?? NAMED.exec(line)?.[1];
    // A quote or a backslash may reach into the next lines, and a carriage return may be the end of one.
    if (name === undefined || (plainName === undefined && /["'\\\r\u2028\u2029\u0085]/.test(line))) isAmbiguous = true;
    if (name === undefined) continue;
    const value = bare ?? double ?? single;
    values.set(name, values.has(name) && values.get(name) !== value ? undefined : value);
  }
  return isAmbiguous
    ? { values: new Map([...values.keys()].map((name) => [name, undefined])), isAmbiguous }
    : { values, isAmbiguous };
}
