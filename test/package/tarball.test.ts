import { readFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { completeInShell, tellMissing } from '../support/complete-in-shell.ts';
import { packPackage, REPOSITORY, type PackedPackage } from './support/packed-package.ts';
import { run } from './support/run.ts';

let packed: PackedPackage;
beforeAll(async () => {
  packed = await packPackage();
}, 120_000);
afterAll(() => packed?.remove());

describe('the tarball', () => {
  it('holds the build, the assets and the papers, and nothing else', () => {
    const elsewhere = packed.files.map((file) => file.path).filter((path) => !/^(dist|assets)\//.test(path));
    expect(elsewhere.toSorted()).toEqual(['CHANGELOG.md', 'LICENSE', 'README.md', 'package.json']);
  });

  it('holds no tests, no fixtures, no sources and no source maps', () => {
    const wrong = packed.files
      .map((file) => file.path)
      .filter(
        (path) =>
          path.startsWith('dist/') && !/^dist\/(?:(?!fixtures|__snapshots__)[\w-]+\/)*[\w-]+(\.js|\.d\.ts)$/.test(path),
      );
    expect(wrong).toEqual([]);
  });

  it('holds nothing that serves tests only, but what is published for them', () => {
    const wrong = packed.files.map((file) => file.path).filter((path) => /(^|\/)(test|fake)-[^/]*$/.test(path));
    expect(wrong.filter((path) => !path.startsWith('dist/testing/'))).toEqual([]);
  });

  it('has a declaration for every module', () => {
    const paths = new Set(packed.files.map((file) => file.path));
    const bare = [...paths].filter((path) => path.endsWith('.js') && path.startsWith('dist/'));
    expect(bare.length).toBeGreaterThan(50);
    expect(bare.filter((path) => !paths.has(path.replace(/\.js$/, '.d.ts')))).toEqual([]);
  });

  it('carries the executables as such', () => {
    const modes = packed.files.filter((file) => ['dist/daemon/main.js', 'assets/sub-agent.sh'].includes(file.path));
    expect(modes.map((file) => file.mode & 0o111)).toEqual([0o111, 0o111]);
  });

  it('stays small, but for the resident', () => {
    const { files } = packed;
    const others = files.filter(({ path }) => !path.startsWith('assets/resident/linux-'));
    expect(others.reduce((sum, { size }) => sum + size, 0)).toBeLessThan(2_500_000);
  });

  it('has the resident for both platforms, with its sums', async () => {
    const names = packed.files.map(({ path }) => path).filter((path) => path.startsWith('assets/resident/'));
    expect(names.sort()).toEqual([
      'assets/resident/SHA256SUMS',
      'assets/resident/linux-amd64/resident',
      'assets/resident/linux-arm64/resident',
    ]);
    await run('sha256sum', ['--check', '--strict', 'SHA256SUMS'], join(packed.folder, 'assets/resident'));
    for (const { path, mode } of packed.files.filter(({ path }) => path.endsWith('/resident'))) {
      expect([path, mode & 0o111]).toEqual([path, 0o111]);
    }
  });
});

describe('the unpacked package', () => {
  it.each(['agentcontainers', 'agentcontainers/http', 'agentcontainers/testing'])(
    '%s can be imported',
    async (name) => {
      const program = `process.stdout.write(JSON.stringify(Object.keys(await import('${name}')).sort()))`;
      const names = JSON.parse(
        await run(process.execPath, ['--input-type=module', '-e', program], packed.consumer),
      ) as string[];
      expect(names).toMatchSnapshot();
    },
  );

  it.each(['index', 'http/index', 'testing/index'])('%s declares these names, values and types', (entry) => {
    const text = readFileSync(join(packed.folder, 'dist', `${entry}.d.ts`), 'utf8');
    const lists = [...text.matchAll(/export\s+(?:type\s+)?\{([^}]*)\}/g)].flatMap(
      (match) => match[1]?.split(',') ?? [],
    );
    const names = lists.map((item) => item.replace(/^\s*type\s+|^.*\bas\s+/, '').trim()).filter(Boolean);
    expect(text).not.toMatch(/export \*/);
    expect(names.toSorted()).toMatchSnapshot();
  });

  it('has a command that says its version', async () => {
    const { version } = JSON.parse(readFileSync(join(REPOSITORY, 'package.json'), 'utf8')) as { version: string };
    const main = join(packed.folder, 'dist/daemon/main.js');
    expect(await run(process.execPath, [main, 'version'], packed.consumer)).toContain(version);
    expect(readFileSync(main, 'utf8').split('\n', 1)[0]).toBe('#!/usr/bin/env node');
  });

  it.for(['bash', 'zsh', 'fish'] as const)('completes its commands in %s', async (shell, { skip }) => {
    const main = join(packed.folder, 'dist/daemon/main.js');
    const script = await run(process.execPath, [main, 'completion', shell], packed.consumer);
    const program = `#!/bin/sh\nexec '${process.execPath}' '${main}' "$@"\n`;
    for (const [typed, expected] of [
      ['ex', ['exec']],
      ['exec --t', ['--timeout', '--tty']],
      ['completion ', ['bash', 'fish', 'zsh']],
    ] as const) {
      const folder = await mkdtemp(join(packed.consumer, 'shell-'));
      const seen = await completeInShell({ shell, script, program, folder, line: `agentcontainers ${typed}` });
      if (!seen) return skip(tellMissing(shell));
      expect(seen.offered.toSorted()).toEqual(expected);
    }
  });
});
