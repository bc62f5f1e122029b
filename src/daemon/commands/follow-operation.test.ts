import { expect, test } from 'vitest';
import pc from 'picocolors';
import type { Output } from '../output/output.ts';
import { concludeOperation, type Followed } from './follow-operation.ts';

type Parts = { operation?: object; devcontainer?: object };

function conclude({ operation = {}, devcontainer = {} }: Parts) {
  const lines: string[] = [];
  const notes: string[] = [];
  const results: unknown[] = [];
  const output = {
    errorColors: pc.createColors(false),
    line: (text: string) => lines.push(text),
    note: (text: string) => notes.push(text),
    result: (value: unknown) => results.push(value),
  } as unknown as Output;
  const followed = {
    operation: { kind: 'create', status: 'succeeded', ...operation },
    devcontainer: { name: 'app', status: 'running', agent: { status: 'running' }, ...devcontainer },
  } as unknown as Followed;
  return { code: concludeOperation(output, followed), lines, notes: notes.join('\n'), results };
}

test('success says what to do next', () => {
  expect(conclude({})).toMatchObject({
    code: 0,
    notes: '',
    lines: ['app is running, sub-agent running. Next: agentcontainers exec app -- <command>'],
  });
  expect(conclude({ operation: { kind: 'stop' }, devcontainer: { status: 'stopped' } }).lines).toEqual([
    'app is stopped. Next: agentcontainers start app',
  ]);
});

test('a hook that failed is shown with its output, although the container runs', () => {
  const { code, lines, notes, results } = conclude({
    devcontainer: {
      error: 'Running the postCreateCommand failed: it exited with code 3.',
      degraded: [{ phase: 'postCreateCommand', output_tail: 'oh \u001b[31mno\n' }],
    },
  });
  expect(code).toBe(1);
  expect(notes).toContain('it exited with code 3.');
  expect(notes).toContain('       oh no');
  expect(lines[0]).toContain('app is running');
  expect(results[0]).toMatchObject({ error: { message: expect.stringContaining('code 3') } });
});

test('an operation that failed, was cancelled or interrupted never looks like success', () => {
  expect(
    conclude({ operation: { status: 'failed', error: 'no image' }, devcontainer: { status: 'error' } }),
  ).toMatchObject({
    code: 1,
    lines: [],
    notes: expect.stringContaining('error: create of app: no image'),
  });
  expect(conclude({ operation: { status: 'interrupted' } }).notes).toContain('it ended as interrupted');
});

test('an earlier error does not spoil a stop', () => {
  expect(conclude({ operation: { kind: 'stop' }, devcontainer: { status: 'stopped', error: 'old' } }).code).toBe(0);
});
