import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { REPOSITORY } from './support/packed-package.ts';

/** A checkout with a resident that was built before, on a machine with a Go toolchain that cannot build it. */
function checkout(): {
  readonly out: string;
  readonly run: (...args: string[]) => { status: number | null; said: string };
} {
  const root = mkdtempSync(join(tmpdir(), 'agentcontainers-resident-'));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  const out = join(root, 'assets', 'resident');
  const program = join(out, 'linux-amd64', 'resident');
  mkdirSync(join(root, 'bin'));
  mkdirSync(join(out, 'linux-amd64'), { recursive: true });
  cpSync(join(REPOSITORY, 'scripts'), join(root, 'scripts'), { recursive: true });
  writeFileSync(join(root, 'bin', 'go'), '#!/bin/sh\necho go1.10\n');
  chmodSync(join(root, 'bin', 'go'), 0o755);
  writeFileSync(program, 'a program');
  writeFileSync(join(out, 'SHA256SUMS'), execFileSync('sha256sum', ['linux-amd64/resident'], { cwd: out }));
  const env = { ...process.env, PATH: `${join(root, 'bin')}:${process.env['PATH']}` };
  return {
    out,
    run(...args) {
      const { status, stderr } = spawnSync('bash', [join(root, 'scripts', 'resident.sh'), ...args], { env });
      return { status, said: stderr.toString() };
    },
  };
}

test('a resident that was built before stays where none can be built', () => {
  const { out, run } = checkout();
  const { status, said } = run();
  expect(status).toBe(0);
  expect(said).toContain('stays as it was built before: the Go toolchain is too old (1.10)');
  expect(readFileSync(join(out, 'linux-amd64', 'resident'), 'utf8')).toBe('a program');
});

test.each([
  ['another program', (out: string) => writeFileSync(join(out, 'linux-amd64', 'resident'), 'half a pro')],
  ['no program', (out: string) => rmSync(join(out, 'linux-amd64', 'resident'))],
  ['no list', (out: string) => rmSync(join(out, 'SHA256SUMS'))],
  ['an empty list', (out: string) => writeFileSync(join(out, 'SHA256SUMS'), '')],
])('one with %s goes', (_name, spoil) => {
  const { out, run } = checkout();
  spoil(out);
  const { status, said } = run();
  expect(status).toBe(0);
  expect(said).toContain('The resident is not built');
  expect(existsSync(out)).toBe(false);
});

test('what is published needs one that was built from its sources', () => {
  const { status, said } = checkout().run('--required');
  expect(status).toBe(1);
  expect(said).toContain('Building the resident failed');
});
