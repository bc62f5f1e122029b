import { expect, test } from 'vitest';
import pc from 'picocolors';
import type { WireFinding } from '../../http/wire-schemas.ts';
import { findingLines, meaningLines } from './finding-lines.ts';

const SOURCE = '.devcontainer/devcontainer.json';
const finding = (kind: WireFinding['kind'], detail: string): WireFinding => ({ kind, detail, source: SOURCE });
const [make, socket, home] = [
  finding('initialize-command', 'make deps'),
  finding('mount', '/var/run/docker.sock'),
  finding('local-env', 'HOME'),
] as const;
const plain = pc.createColors(false);

test('what was never accepted is new', () => {
  expect(findingLines([make], undefined, plain)).toEqual([
    '   FINDING             WHAT       SAID BY',
    `+  initialize-command  make deps  ${SOURCE}`,
  ]);
});

test('what came, what stayed and what went are told apart, also when only a word has changed', () => {
  const lines = findingLines([make, socket], [{ ...make, detail: 'make' }, socket, home], plain);
  expect(lines.slice(1).map((line) => line.replaceAll(/ +/g, ' '))).toEqual([
    `+ initialize-command make deps ${SOURCE}`,
    ` mount /var/run/docker.sock ${SOURCE}`,
    `- initialize-command make ${SOURCE}`,
    `- local-env HOME ${SOURCE}`,
  ]);
});

test('nothing is cut off, and nothing moves the cursor', () => {
  const long = `${'x'.repeat(500)} rm -rf`;
  const [, line] = findingLines([finding('run-argument', `\u001b[1A\u001b[2K${long}\rharmless`)], undefined, plain);
  expect(line).toContain(long);
  expect(line).not.toMatch(/[\u001b\r]/);
});

test('each kind is explained once', () => {
  const lines = meaningLines([make, { ...make, detail: 'other' }, socket], plain);
  expect(lines).toHaveLength(2);
  expect(lines[0]).toContain('runs on this machine');
  expect(lines[0]).toContain('what those files call or read in turn can change without another question');
  expect(meaningLines([{ ...make, kind: 'from-later' as never }], plain)[0]).toContain('can reach this machine');
});
