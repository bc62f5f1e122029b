import { describe, expect, it, vi } from 'vitest';
import { expandVariables, type Lookup } from './expand-variables.ts';
import { createExpansionBudget } from './expansion-budget.ts';

/** `A` is set, `E` is set to nothing, `U` is not known, the others are not set. */
const lookup: Lookup = (name) => ({ A: 'a', E: '' })[name] ?? (name === 'U' ? undefined : null);

it.each<[string, string | undefined]>([
  ['x', 'x'],
  ['$A/${A}', 'a/a'],
  ['$N|${N}', '|'],
  ['$U', undefined],
  ['${N:-d}${N-d}${E:-d}${E-d}${A:-d}', 'ddda'],
  ['${N:-${A}}', 'a'],
  ['${N:-${M:-$A}}', 'a'],
  ['${A:+y}${E:+y}${E+y}${N+y}', 'yy'],
  ['${N:?must}', undefined],
  ['${A:?must}', 'a'],
  ['${U:-d}', undefined],
  ['${N:-$U}', undefined],
  ['${A:-$U}', 'a'],
  ['${A', undefined],
  ['${}', undefined],
  ['$', undefined],
  ['$1', undefined],
  ['${A/x/y}', undefined],
])('%j becomes %j in both dialects', (text, expected) => {
  expect(expandVariables(text, lookup, 'compose')).toBe(expected);
  expect(expandVariables(text, lookup, 'dockerfile')).toBe(expected);
});

it.each<[string, string | undefined, string | undefined]>([
  ['$$A', '$A', undefined],
  ['\\$A', '\\a', '$A'],
  ['"$A"', '"a"', 'a'],
  ["'$A'", "'a'", '$A'],
])('%j becomes %j for compose and %j in a Dockerfile', (text, compose, dockerfile) => {
  expect(expandVariables(text, lookup, 'compose')).toBe(compose);
  expect(expandVariables(text, lookup, 'dockerfile')).toBe(dockerfile);
});

it('does not exhaust the stack', () => {
  expect(expandVariables(`${'${N:-'.repeat(10_000)}x${'}'.repeat(10_000)}`, lookup, 'compose')).toBeUndefined();
});

describe('a result that is too long is none', () => {
  const long: Lookup = (name) => (name === 'A' ? 'x'.repeat(1_000) : null);

  it.each<[string, string, number | undefined]>([
    ['as long as is allowed', '$A'.repeat(65), 65_000],
    ['longer', '$A'.repeat(66), undefined],
    ['longer in a default', `\${N:-${'$A'.repeat(66)}}`, undefined],
    ['longer as written', 'x'.repeat(65 * 1024), undefined],
  ])('%s', (_what, text, length) => {
    const exceeded = vi.fn<() => void>();
    for (const dialect of ['compose', 'dockerfile'] as const) {
      expect(expandVariables(text, long, dialect, createExpansionBudget(exceeded))?.length).toBe(length);
    }
    expect(exceeded).toHaveBeenCalledTimes(length === undefined ? 2 : 0);
  });

  it('nor is one when all of them together are too long', () => {
    let lookups = 0;
    const exceeded = vi.fn<() => void>();
    const budget = createExpansionBudget(exceeded, 100_000);
    const counting: Lookup = () => {
      lookups++;
      return 'x'.repeat(1_000);
    };
    const results = Array.from({ length: 1_000 }, () => expandVariables('$A$A', counting, 'compose', budget));
    expect(results.filter((result) => result !== undefined)).toHaveLength(50);
    expect(lookups).toBe(100);
    expect(exceeded).toHaveBeenCalledTimes(950);
  });
});
