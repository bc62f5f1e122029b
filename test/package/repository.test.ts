import { accessSync, constants, existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { REPOSITORY } from './support/packed-package.ts';
import { run } from './support/run.ts';

const read = (path: string): string => readFileSync(join(REPOSITORY, path), 'utf8');

/** Tracked files, and new ones that are not ignored. */
async function trackedFiles(): Promise<string[]> {
  const list = await run('git', ['ls-files', '-co', '--exclude-standard', '-z'], REPOSITORY);
  return list.split('\0').filter((path) => path !== '' && existsSync(join(REPOSITORY, path)));
}

describe('the README', () => {
  it.each(['./scripts/demo', './scripts/test'])('names %s, and that can be executed', (command) => {
    expect(read('README.md')).toContain(command);
    expect(() => accessSync(join(REPOSITORY, command), constants.X_OK)).not.toThrow();
  });

  it('leads only to files that exist', () => {
    const links = [...read('README.md').matchAll(/\]\((?!https?:|#|mailto:)([^)#]+)/g)].map((match) => match[1] ?? '');
    expect(links.filter((link) => !existsSync(join(REPOSITORY, link)))).toEqual([]);
  });
});

describe('docs/testing.md', () => {
  it('shows the example that runs as test/behaviour/example.test.ts', () => {
    const shown = read('docs/testing.md').split('```ts\n')[1]?.split('```')[0] ?? '';
    const between = (text: string): string | undefined =>
      /\/\/ example: begin\n([^]*?)\/\/ example: end/.exec(text)?.[1];
    const example = between(read('test/behaviour/example.test.ts'));
    expect(example).toMatch(/^test\(/);
    expect(between(shown)).toBe(example);
  });
});

describe('what is tracked', () => {
  it('names neither the folder it lies in nor the host of a package registry', async () => {
    const registry = new URL((await run('npm', ['config', 'get', 'registry'], REPOSITORY)).trim()).hostname;
    const words = [
      `${REPOSITORY}/`,
      ['registry', 'npmjs', 'org'].join('.'),
      ...(registry.includes('.') ? [registry] : []),
    ];
    const found = (await trackedFiles())
      .filter((path) => path !== 'test/package/repository.test.ts' && statSync(join(REPOSITORY, path)).size < 4_000_000)
      .filter((path) => words.some((word) => read(path).includes(word)));
    expect(found).toEqual([]);
  });

  it('imports the libraries that have one owner nowhere else, also not lazily', async () => {
    const owners = { dockerode: 'src/engine/', chokidar: 'src/watcher/', '@devcontainers/cli': 'src/devcontainercli/' };
    const sources = (await trackedFiles()).filter((path) => /^src\/.*\.ts$/.test(path) && !path.endsWith('.test.ts'));
    for (const [library, owner] of Object.entries(owners)) {
      const lazy = new RegExp(`(import|require|resolve)\\(\\s*['"\`]${library}(/|['"\`])`);
      expect(sources.filter((path) => !path.startsWith(owner) && lazy.test(read(path)))).toEqual([]);
    }
  });
});
