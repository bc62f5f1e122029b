import { describe, expect, it } from 'vitest';
import { parseYaml, YAML_BUDGET, type YamlBudget } from './parse-yaml.ts';

const ALIASES_OF_ALIASES = `a: &a [${'x,'.repeat(9)}]\n${'bcdefghi'
  .split('')
  .map((name, i) => `${name}: &${name} [${`*${'abcdefgh'[i]},`.repeat(9)}]`)
  .join('\n')}`;

function valueOf(text: string): string {
  const parsed = parseYaml(text);
  if ('error' in parsed) throw new Error(parsed.error.message);
  return parsed.value;
}

it.each([
  ['comments', 'a: 1 # x\n# y\n'],
  ['empty lines', '\n\na: 1\n\n'],
  ['flow style', '{a: 1}'],
  ['indentation and a document start', '---\na:   1\n'],
  ['quotes of a key', '"a": 1'],
])('%s do not count', (_what, text) => expect(valueOf(text)).toBe(valueOf('a: 1')));

it.each([
  ['the order of keys', 'a: 1\nb: 2', 'b: 2\na: 1'],
  ['quotes of a text', 'a: x', 'a: "x"'],
  ['an alias in place of its value', 'a: &x {b: c}\nd: *x', 'a: {b: c}\nd: {b: c}'],
  ['a merge in place of its keys', 'a: &x {b: c}\nd:\n  <<: *x', 'a: {b: c}\nd: {b: c}'],
])('%s does not count', (_what, one, other) => expect(valueOf(one)).toBe(valueOf(other)));

it.each([
  ['a text and a number', 'a: 1', 'a: "1"'],
  ['a text and a truth value', 'a: true', 'a: "true"'],
  ['spellings of a number, which compose may print', 'a: 1', 'a: 1.0'],
  ['a number that older YAML takes for octal', 'a: 10', 'a: 010'],
  ['order of a list', 'a: [1, 2]', 'a: [2, 1]'],
  ['a tag that means something to compose', 'a: !reset []', 'a: []'],
  ['two such tags', 'a: !reset []', 'a: !override []'],
  ['further documents', 'a: 1', 'a: 1\n---\nb: 1'],
])('%s are not the same', (_what, one, other) => expect(valueOf(one)).not.toBe(valueOf(other)));

it.each<[string, string, RegExp, number, number]>([
  ['a text without end', 'services:\n  a:\n    image: "x', /missing closing/, 3, 14],
  ['a key without value in a flow', 'a: {b', /./, 1, 6],
  ['wrong indentation', 'a:\n    b: 1\n  c: 1', /./, 3, 1],
  ['tabs', 'a:\n\tb: 1', /./, 2, 1],
  ['a key twice', 'a: 1\nb: 2\na: 3', /the key "a" is there twice/, 3, 1],
  ['a list as a key', '? [a]\n: b', /all keys must be strings/, 1, 3],
  ['an unknown alias', 'a: *x', /./, 1, 1],
])('%s is refused with line and column', (_what, text, message, line, column) => {
  expect(parseYaml(text)).toMatchObject({ error: { message: expect.stringMatching(message), line, column } });
});

it.each([
  ['of a long text', `a: &a "${'x'.repeat(100_000)}"\nb:\n${'- *a\n'.repeat(900)}`],
  ['of aliases', ALIASES_OF_ALIASES],
  ['to itself', 'a: &a\n  b: *a\n'],
])('more than is looked at, by aliases %s, is refused', (_what, text) => {
  expect(parseYaml(text)).toMatchObject({
    error: { message: expect.stringMatching(/too large with its aliases|too deeply/) },
  });
});

// What is a comment for one reader would be a key for another.
it.each([
  ['a next line character', '\u0085', '0085'],
  ['a line separator', '\u2028', '2028'],
  ['a paragraph separator', '\u2029', '2029'],
  ['a carriage return alone', '\r', '000D'],
  ['a NUL', '\0', '0000'],
  ['a byte order mark in the middle', '\ufeff', 'FEFF'],
])('%s is refused, also in a comment', (_what, character, code) => {
  const message = `a character that ends a line for some and not for others (U+${code})`;
  expect(parseYaml(`a: 1\n# x${character}b: 2`)).toEqual({ error: { message, line: 2, column: 4 } });
});

it('Windows line ends are fine, and a byte order mark at the beginning', () => {
  expect(valueOf('\ufeffa: 1\r\nb: 2\r\n')).toBe(valueOf('a: 1\nb: 2\n'));
});

it('a key called __proto__ is a key', () => {
  const parsed = parseYaml('__proto__: {a: 1}');
  if ('error' in parsed) throw new Error(parsed.error.message);
  expect(Object.keys(parsed.documents[0] as object)).toEqual(['__proto__']);
  expect(({} as { a?: number }).a).toBeUndefined();
});

const M = 1024 * 1024;
describe('at most 1 MiB of text is read in bounded time and memory:', () => {
  it.each([
    ['open brackets', '['.repeat(M)],
    ['nested maps', '{'.repeat(2_000) + '}'.repeat(2_000)],
    ['nested keys', '? '.repeat(2_000)],
    ['nested blocks', Array.from({ length: 1_400 }, (_, i) => `${' '.repeat(i)}a:`).join('\n')],
    ['keys', Array.from({ length: 100_000 }, (_, i) => `k${i}: 1`).join('\n')],
    ['keys, as many as are read', Array.from({ length: 12_000 }, (_, i) => `k${i}: 1`).join('\n')],
    ['list items', '-\n'.repeat(45_000)],
    ['anchors', '&a '.repeat(M / 3)],
    ['aliases', `a: &x y\nb:\n${' - *x\n'.repeat(100_000)}`],
    ['merges', `a: &a {x: 1}\n${Array.from({ length: 900 }, (_, i) => `b${i}:\n  <<: *a`).join('\n')}`],
    ['aliases of a long text', `a: &a "${'x'.repeat(100_000)}"\nb:\n${'- *a\n'.repeat(900)}`],
    ['aliases of aliases', ALIASES_OF_ALIASES],
    ['an alias to itself', 'a: &a\n  b: *a\n'],
    ['documents', '---\n'.repeat(M / 4)],
    ['comments', '#\n'.repeat(M / 2)],
    ['one comment', `a: 1 ${'#'.repeat(M)}`],
    ['a quoted text over many lines', `a: "${'x\n\n '.repeat(M / 4 - 2)}"`],
    ['a block text', `a: |\n${'  c\n'.repeat(M / 4)}`],
    ['white space', `${' '.repeat(M)}a`],
  ])('%s', (_what, text) => void parseYaml(text), 5_000);
});

it.each([
  ['a: !!binary Zm9v', false],
  ['a: !x 1', false],
  ['a: !<tag:example.com,2000:x> 1', false],
  ['a: !!str 1', true],
  ['a: !reset null', true],
  ['a: !override [b]', true],
])('takes %j only if every reader understands its tag alike', (text, isFine) => {
  expect('error' in parseYaml(text)).toBe(!isFine);
});

describe('what aliases and merges make of a file', () => {
  const left = (text: string): YamlBudget => {
    const budget = { ...YAML_BUDGET };
    parseYaml(text, budget);
    return budget;
  };

  it.each<[string, string, number]>([
    ['a scalar', 'a', 1],
    ['a map', 'a: b\nc: d', 5],
    ['a list', '[a, b]', 3],
    ['an alias', 'a: &a {b: c}\nd: *a', 9],
    ['a merge', 'a: &a {b: c}\nd: {<<: *a}', 11],
    ['merges of a list', 'a: &a {b: c}\nd: {<<: [*a, *a]}', 15],
    ['aliases of aliases', 'a: &a [x]\nb: &b [*a, *a]\nc: [*b, *b]', 22],
    ['an anchor that is used again', '- &a [x, x]\n- *a\n- &a x\n- *a', 9],
    ['documents', 'a: b\n---\na: b', 6],
  ])('is counted: %s', (_what, text, nodes) => {
    expect(YAML_BUDGET.nodes - left(text).nodes).toBe(nodes);
  });

  const large = `a: &a\n${Array.from({ length: 5_000 }, (_, i) => `  k${i}: 1\n`).join('')}`;

  it.each([
    ['merges', `${large}${Array.from({ length: 900 }, (_, i) => `m${i}: {<<: *a}\n`).join('')}`],
    ['a merge of the same map many times', `${large}m: {<<: [${'*a,'.repeat(900)}]}\n`],
    [
      'merges of merges',
      `a0: &a0 {k: 1}\n${Array.from({ length: 30 }, (_, i) => `a${i + 1}: &a${i + 1} {x: {<<: *a${i}}, y: {<<: *a${i}}}\n`).join('')}`,
    ],
  ])('is refused before it is made when it is too much: %s', (_what, text) => {
    expect(parseYaml(text)).toMatchObject({ error: { message: 'too large with its aliases' } });
  });

  it('counts for all files that are read together', () => {
    const budget = { ...YAML_BUDGET };
    const text = `${large}m: {<<: [${'*a,'.repeat(4)}]}\n`;
    const errors = Array.from({ length: 10 }, () => 'error' in parseYaml(text, budget));
    expect(errors).toEqual([false, false, ...Array.from({ length: 8 }, () => true)]);
  });
});
