import { execFileSync, spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fc, test as propertyTest } from '@fast-check/vitest';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ignoreRules, type IgnoreRules } from './ignore-rules.ts';

const hasGit = spawnSync('git', ['--version']).status === 0;

describe('rules of git', () => {
  it('of which the file nearer by, and the later line of one, has more weight', () => {
    const rules = ignoreRules(['a\nb\n!b\n', '!a\n', undefined, 'c']);
    expect(['a', 'b', 'c', 'd'].map((name) => rules.ignores(name, true))).toEqual([false, false, true, false]);
  });

  it('tell a directory from a file, and capitals from small letters', () => {
    const rules = ignoreRules(['build/\nMake']);
    expect(rules.ignores('build', true)).toBe(true);
    expect(rules.ignores('build', false)).toBe(false);
    expect(rules.ignores('make', true)).toBe(false);
  });

  it.each(['a*b', 'a?', '[ab]', 'a b ', '!a', '#a', 'a\\', '..a', 'ü'])(
    'go on in a directory named %s that was taken back',
    (name) => {
      const escaped = name.replace(/[\\*?[\] !#]/g, '\\$&');
      const within = ignoreRules(['*\n', `!/${escaped}\n`]).enter(name, undefined);
      expect(within.ignores('other', true)).toBe(true);
      const open = ignoreRules([`/*\n`, `!/${escaped}\n`]).enter(name, '');
      expect(open.ignores('other', true)).toBe(false);
    },
  );

  it('begin after the mark of the byte order, in lines of either kind', () => {
    const rules = ignoreRules(['\uFEFFa\r\nb\r\n']);
    expect([rules.ignores('a', true), rules.ignores('b', true)]).toEqual([true, true]);
  });

  it('are not read beyond what a person could have written', () => {
    const many = Array.from({ length: 3_000 }, (_, line) => `r${line}`).join('\n');
    const rules = ignoreRules([`${'l'.repeat(1_001)}\n${many}`]);
    expect(rules.ignores('r1999', true)).toBe(true);
    expect(rules.ignores('r2000', true)).toBe(false);
    expect(rules.ignores('l'.repeat(1_001), true)).toBe(false);
  });

  it('are not read beyond 64 KiB of one file', () => {
    const rules = ignoreRules([Array.from({ length: 100 }, (_, line) => `r${line}${'x'.repeat(990)}`).join('\n')]);
    expect(rules.ignores(`r50${'x'.repeat(990)}`, true)).toBe(true);
    expect(rules.ignores(`r99${'x'.repeat(990)}`, true)).toBe(false);
  });

  it.each([
    ['a/**/**/***/b', ['a/b', 'a/x/y/b'], ['a', 'b', 'x/a/b']],
    ['**/**/b', ['b', 'a/b', 'a/x/b'], ['a']],
    ['a/**/**', ['a/b', 'a/x/b'], ['a']],
    ['a\\**/**/b', ['a*x/b', 'a*/y/b'], ['ax/b']],
  ])('that repeat ** mean the same: %s', (rule, ignored, others) => {
    const ignores = (path: string): boolean => {
      const names = path.split('/');
      const within = names.slice(0, -1).reduce((rules, name) => rules.enter(name, undefined), ignoreRules([rule]));
      return within.ignores(names.at(-1) ?? '', true);
    };
    expect(ignored.filter((path) => !ignores(path))).toEqual([]);
    expect(others.filter(ignores)).toEqual([]);
  });

  it('that were made to keep whoever reads them busy are followed in bounded time', () => {
    const name = 'a'.repeat(250);
    for (const text of [
      `a/${'**/'.repeat(300)}b`,
      `${'**/*/'.repeat(190)}b`,
      `${'**/*a*a*/'.repeat(100)}b`,
      `*${'a'.repeat(900)}b\n`.repeat(60),
    ]) {
      let rules = ignoreRules([text]);
      for (const directory of ['a', 'a', name, name, name, name]) rules = rules.enter(directory, undefined);
      expect(rules.ignores('c', true)).toBe(false);
    }
  }, 10_000);
});

const DIRECTORIES = ['a', 'b', 'a/a', 'a/b', 'b/a', 'b/b', 'a/a/a', 'a/a/b', 'a/b/a', 'b/a/b', 'a/b/a/b'] as const;
const pattern = fc
  .tuple(
    fc.constantFrom('', '', '!'),
    fc.constantFrom('', '', '/', '**/'),
    fc.array(fc.constantFrom('a', 'b', '*', '**', '?', '[ab]', '[!a]', 'a*', '\\a'), { minLength: 1, maxLength: 3 }),
    fc.constantFrom('', '', '/', '/*', '/**'),
  )
  .map(([not, start, parts, end]) => `${not}${start}${parts.join('/')}${end}`);
const text = fc.array(pattern, { maxLength: 4 }).map((lines) => lines.join('\n'));
const files = fc.dictionary(fc.constantFrom('', ...DIRECTORIES), text, { maxKeys: 4 });

describe.skipIf(!hasGit)('what git says', () => {
  let folder: string;
  const git = (args: readonly string[], input?: string): string => {
    const env = { ...process.env, GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_SYSTEM: '/dev/null' };
    const run = spawnSync('git', ['-C', folder, ...args], { env, input, encoding: 'utf8', timeout: 10_000 });
    return run.stdout;
  };

  beforeAll(async () => {
    folder = await realpath(await mkdtemp(join(tmpdir(), 'ignore-rules-')));
    execFileSync('git', ['init', '--quiet', folder]);
    for (const directory of DIRECTORIES) await mkdir(join(folder, directory), { recursive: true });
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  propertyTest.prop([files, text], { numRuns: 120 })(
    'of each directory is what these rules say of it',
    async (ignoreFiles, exclude) => {
      for (const directory of ['', ...DIRECTORIES]) await rm(join(folder, directory, '.gitignore'), { force: true });
      await writeFile(join(folder, '.git/info/exclude'), exclude);
      for (const [directory, lines] of Object.entries(ignoreFiles)) {
        await writeFile(join(folder, directory, '.gitignore'), lines);
      }
      const ignored = new Set(git(['check-ignore', '--stdin'], DIRECTORIES.join('\n')).split('\n'));

      const entered = new Map<string, IgnoreRules>([['.', ignoreRules([exclude, ignoreFiles['']])]]);
      for (const directory of DIRECTORIES) {
        const parent = entered.get(dirname(directory));
        const name = directory.slice(directory.lastIndexOf('/') + 1);
        if (!parent || parent.ignores(name, true)) continue;
        entered.set(directory, parent.enter(name, ignoreFiles[directory]));
      }
      const expected = DIRECTORIES.filter((directory) => !ignored.has(directory));
      expect([...entered.keys()].slice(1)).toEqual(expected);
    },
    60_000,
  );
});
