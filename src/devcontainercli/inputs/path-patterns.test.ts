import { describe, expect, it } from 'vitest';
import { dockerIgnore, gitPatterns, isBoundedPattern } from './path-patterns.ts';

describe('.dockerignore', () => {
  // What the engine's classic builder leaves out of a context.
  it.each<[string, string[], string[]]>([
    ['foo', ['foo', 'foo/x'], ['a/foo', 'foox']],
    ['/foo/', ['foo', 'foo/x'], ['a/foo']],
    ['./foo', ['foo'], ['a/foo']],
    ['a/../foo', ['foo'], ['a/foo']],
    ['*.log', ['x.log'], ['a/x.log']],
    ['*/x', ['a/x'], ['x', 'a/b/x']],
    ['**/x', ['x', 'a/x', 'a/b/x', 'a/x/y'], ['xx']],
    ['a/**', ['a/b', 'a/b/c'], ['b']],
    ['?', ['x'], ['xy']],
    ['[ab]', ['a', 'b'], ['c']],
    ['# foo\nbar', ['bar'], ['foo', '# foo']],
    ['  foo  ', ['foo'], []],
    ['Foo', ['Foo'], ['foo']],
    ['*\n!keep', ['x', 'a/x'], ['keep', 'keep/x']],
    ['**\n!a/keep', ['x', 'a/x', 'a/keeper'], ['a/keep', 'a/keep/x']],
    ['a\n!a/b\na/b/c', ['a/x', 'a/b/c', 'a/b/c/d'], ['a/b', 'a/b/x']],
    ['!foo\nfoo', ['foo'], []],
    ['.\n', [], ['x']],
    ['', [], ['x']],
  ])('%j leaves out %j, and not %j', (text, out, not) => {
    const patterns = dockerIgnore(text);
    expect(out.filter((path) => patterns?.takes(path) !== true)).toEqual([]);
    expect(not.filter((path) => patterns?.takes(path) !== false)).toEqual([]);
  });

  it('enters a directory that is left out only when something can be taken back', () => {
    expect(dockerIgnore('a')?.enters('a/')).toBe(false);
    expect(dockerIgnore('a')?.enters('b/')).toBe(true);
    expect(dockerIgnore('a\n!a/b')?.enters('a/')).toBe(true);
  });

  it.each(['../x', '*a*a*a*', 'a\n'.repeat(1_001)])('cannot be followed when it has %j', (text) => {
    expect(dockerIgnore(text)).toBeUndefined();
  });
});

describe('patterns', () => {
  it.each<[string[], string[], string[]]>([
    [['/a/*.json'], ['a/'], ['b/', 'a/b/']],
    [['a/b/c'], ['a/', 'a/b/', 'a/b/c/', 'a/b/c/d/'], ['b/', 'a/c/']],
    [['*/x'], ['a/', 'b/'], ['a/b/']],
    [['x'], ['a/', 'a/b/c/'], []],
    [['docs/'], ['a/', 'docs/'], []],
    [['/a/**/x'], ['a/', 'a/b/c/'], ['b/']],
    [['**/x'], ['a/b/'], []],
    [['/a', '!/a/b'], ['a/'], ['b/']],
    [['#x', '/a/b'], ['a/'], ['b/']],
  ])('%j lead into %j, and not into %j', (list, into, not) => {
    const patterns = gitPatterns(list);
    expect(into.filter((path) => patterns?.enters(path) !== true)).toEqual([]);
    expect(not.filter((path) => patterns?.enters(path) !== false)).toEqual([]);
  });

  it.each<[string, boolean]>([
    ['src/**/*.test.*', true],
    ['**/a/**', true],
    ['*a*', true],
    ['*a*b*', false],
    ['a**b', true],
    ['a***b', false],
    ['**/**/**', false],
    ['a'.repeat(301), false],
  ])('%j is bounded: %s', (pattern, bounded) => expect(isBoundedPattern(pattern)).toBe(bounded));

  it.each<[string[], number]>([
    [[], 0],
    [['node_modules'], 1],
    [['/dist', '!/dist/keep'], 2],
    [['*.log'], 6],
    [['a*.log', 'b'], 7],
    [['**/x'], 5],
    [['**/x/**'], 64],
  ])('%j take an effort of %d for each character of a path', (list, effort) => {
    expect(gitPatterns(list)?.effort).toBe(effort);
    expect(dockerIgnore('*.log\n!b\nc')?.effort).toBe(6 + 1 + 1);
  });

  it('that are bounded match the worst of names in bounded time', () => {
    const names = Array.from({ length: 15 }, () => 'a'.repeat(255)).join('/');
    const patterns = gitPatterns(['**/*a*b', '*a*b', '**/*a*b/**', '**/a*a*/**/*a*b'.slice(0, 300)]);
    for (let i = 0; i < 20; i++) expect(patterns?.takes(`${i}/${names}`)).toBe(false);
  }, 5_000);
});
