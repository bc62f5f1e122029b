import { stringsIn } from './records.ts';

const MAX_NAME = 200;

/**
 * Names in `${localEnv:NAME}` and `${env:NAME}`, with or without a default, anywhere in the strings of a value: the dev
 * container CLI replaces both by the variable of its own environment.
 */
export function localVariables(value: unknown): Set<string> {
  const names = new Set<string>();
  for (const text of stringsIn(value)) {
    for (let at = text.indexOf('${'); at !== -1; at = text.indexOf('${', at + 2)) {
      // A text is made of these alone if an attacker likes: look a bounded way ahead from each.
      const [, name] = /^\$\{(?:localEnv|env):([^:}]*)/.exec(text.slice(at, at + MAX_NAME)) ?? [];
      if (name !== undefined && name !== '') names.add(name);
    }
  }
  return names;
}
