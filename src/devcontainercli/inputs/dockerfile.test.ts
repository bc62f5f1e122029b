import { fc, test } from '@fast-check/vitest';
import { describe, expect, it } from 'vitest';
import { parseDockerfile } from './dockerfile.ts';

const canonical = (text: string): string => {
  const parsed = parseDockerfile(text);
  if ('error' in parsed) throw new Error(parsed.error.message);
  return parsed.canonical;
};
const instructions = (text: string): readonly string[] | undefined => {
  const parsed = parseDockerfile(text);
  return 'error' in parsed ? [] : parsed.instructions?.map((one) => `${one.keyword} ${one.text}`);
};

describe('two Dockerfiles are the same when they differ in', () => {
  it.each([
    ['comments', 'FROM a\nRUN b\n', '# x\nFROM a\n  # y\nRUN b\n#'],
    ['empty lines', 'FROM a\nRUN b', '\n\nFROM a\n \t\nRUN b\n\n'],
    ['line ends', 'FROM a\nRUN b\n', 'FROM a\r\nRUN b\r\n'],
    ['a byte order mark', 'FROM a', '\ufeffFROM a'],
    ['comments and empty lines in a continued instruction', 'FROM a\nRUN b \\\n  c', 'FROM a\nRUN b \\\n# x\n\n  c'],
    ['comments after a heredoc', 'FROM a\nRUN <<E\nx\nE\nRUN y', 'FROM a\nRUN <<E\nx\nE\n# z\nRUN y'],
    [
      'comments, with Docker as the syntax',
      '# syntax=docker/dockerfile:1\nFROM a',
      '#syntax = docker/dockerfile:1\n# x\nFROM a',
    ],
    ['a directive that is one no more', '\n# escape=`\nFROM a', 'FROM a'],
  ])('%s', (_what, one, other) => expect(canonical(other)).toBe(canonical(one)));
});

describe('two Dockerfiles are not the same when they differ in', () => {
  it.each([
    ['white space of an instruction', 'FROM a\nRUN b', 'FROM a\nRUN  b'],
    ['the escape directive', 'FROM a\nRUN b', '# escape=`\nFROM a\nRUN b'],
    ['the syntax', '# syntax=docker/dockerfile:1\nFROM a', '# syntax=docker/dockerfile:2\nFROM a'],
    ['a comment in a heredoc', 'FROM a\nRUN <<E\nx\nE', 'FROM a\nRUN <<E\nx\n# y\nE'],
    ['an empty line in a heredoc', 'FROM a\nCOPY <<-"E" /f\nx\n\tE', 'FROM a\nCOPY <<-"E" /f\n\nx\n\tE'],
    ['a comment, where a heredoc has no end', 'FROM a\nRUN <<E\nRUN x', 'FROM a\nRUN <<E\n# y\nRUN x'],
    ['a comment, in another syntax', '# syntax=some/one\nfrom: a', '# syntax=some/one\n# x\nfrom: a'],
    ['the end of a comment that no backslash continues', 'FROM a\n# x \\\nRUN y', 'FROM a\n# x'],
  ])('%s', (_what, one, other) => expect(canonical(other)).not.toBe(canonical(one)));
});

describe('the instructions', () => {
  it.each<[string, string[]]>([
    ['from a\n  run b', ['FROM a', 'RUN b']],
    ['FROM a\nRUN b \\\n  # no\n  c\\\n  d', ['FROM a', 'RUN b   c  d']],
    ['FROM a\nRUN b \\\\\nRUN c', ['FROM a', 'RUN b \\\\', 'RUN c']],
    ['# escape=`\nFROM a\nRUN b `\n c\\\nRUN d', ['FROM a', 'RUN b  c\\', 'RUN d']],
    ['FROM a\nRUN <<A cat <<"B"\nCOPY no\nA\nCOPY no\nB\nRUN c', ['FROM a', 'RUN <<A cat <<"B"', 'RUN c']],
    [
      'FROM a\nRUN echo "<<A"\nRUN $((1<<A))\nRUN cat <<<x',
      ['FROM a', 'RUN echo "<<A"', 'RUN $((1<<A))', 'RUN cat <<<x'],
    ],
    ['FROM a\nONBUILD RUN <<A\nCOPY no\nA', ['FROM a', 'ONBUILD RUN <<A']],
  ])('of %j are %j', (text, expected) => expect(instructions(text)).toEqual(expected));

  it('of another syntax are not known', () => expect(instructions('# syntax=some/one\nwhatever')).toBeUndefined());
});

it.each<[string, string, number]>([
  ['', 'there is no FROM instruction', 1],
  ['# only\n\n', 'there is no FROM instruction', 3],
  ['RUN x', 'there is no FROM instruction', 1],
  ['FROM a\n\nCOP', 'there is no instruction "COP"', 3],
  ['FROM a\n<?xml\u0007?>', 'there is no instruction "<?xml?>"', 2],
])('%j is refused: %s, in line %i', (text, message, line) =>
  expect(parseDockerfile(text)).toEqual({ error: { message, line, column: 1 } }),
);

it('a syntax of its own may have further instructions', () =>
  expect(instructions('# syntax=docker/dockerfile:9\nFROM a\nNEW b')).toEqual(['FROM a', 'NEW b']));

const M = 1024 * 1024;
it.each([
  ['a long line', `FROM a\nRUN ${'x '.repeat(M / 2)}`],
  ['quotes', `FROM a\nRUN ${`'"`.repeat(M / 2)}`],
  ['backslashes', `FROM a\nRUN ${'\\  '.repeat(M / 3)}`],
  ['heredocs in one line', `FROM a\nRUN ${'<<A '.repeat(100_000)}\n${'A\n'.repeat(100_000)}`],
  ['heredocs without end', `FROM a\n${'RUN <<E\n'.repeat(120_000)}`],
  ['white space in a directive', `#syntax= x${' '.repeat(M)}y`],
])('1 MiB of %s is read in bounded time', (_what, text) => void parseDockerfile(text), 5_000);

test.prop([
  fc.array(fc.constantFrom('FROM a', 'RUN b', 'RUN c \\', '  d', 'RUN <<E', 'E', 'x', ''), { maxLength: 8 }),
  fc.nat(),
])('a comment that does not count does not change the instructions', (lines, at) => {
  const commented: string[] = [...lines];
  commented.splice(at % (lines.length + 1), 0, '# comment');
  const [before, after] = [parseDockerfile(lines.join('\n')), parseDockerfile(commented.join('\n'))];
  if ('error' in before || 'error' in after) return;
  if (before.canonical === after.canonical) expect(after.instructions).toEqual(before.instructions);
});
