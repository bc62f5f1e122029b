import { expect, test } from 'vitest';
import type { WireDevcontainer, WireOperation } from '../../http/wire-schemas.ts';
import { concludeOperation } from './conclude-operation.ts';
import { testContext, UNTRUSTED, wireEntry, wireOperation } from './test-context.ts';

const AGENT = { id: null, name: 'app', directory: '/', status: 'running' } as const;

type Parts = {
  operation?: Partial<WireOperation>;
  devcontainer?: Partial<WireDevcontainer> | undefined;
  tail?: string[];
};

function conclude(parts: Parts) {
  const { operation, devcontainer = {}, tail = [] } = parts;
  const followed = {
    operation: wireOperation({ kind: 'create', ...operation }),
    devcontainer:
      'devcontainer' in parts && !parts.devcontainer ? undefined : wireEntry({ agent: AGENT, ...devcontainer }),
    tail,
  };
  const people = testContext({});
  const program = testContext({}, { json: true });
  const code = concludeOperation(people.output, followed);
  expect(concludeOperation(program.output, followed)).toBe(code);
  const lines = people.stdout().split('\n').slice(0, -1);
  return { code, lines, notes: people.stderr(), result: JSON.parse(program.stdout()) as object };
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
  const { code, lines, notes, result } = conclude({
    devcontainer: {
      error: 'Running the postCreateCommand failed: it exited with code 3.',
      degraded: [{ phase: 'postCreateCommand', output_tail: 'oh \u001b[31mno\n' }],
    },
  });
  expect(code).toBe(1);
  expect(notes).toContain('it exited with code 3.');
  expect(notes).toContain('       oh no');
  expect(lines[0]).toContain('app is running');
  expect(result).toMatchObject({ error: { message: expect.stringContaining('code 3') } });
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

const HOOK = { phase: 'postCreateCommand', output_tail: 'oh no\n    at run (/app/node_modules/x.js:1:2)\nbad\n' };
test('a failed hook comes with the command that runs it again, and without a stack trace', () => {
  const { notes } = conclude({ devcontainer: { error: 'It failed.', degraded: [HOOK] } });
  expect(notes.split('\n')).toEqual([
    'error: create of app: It failed.',
    '       oh no',
    '       bad',
    '       Run it again: agentcontainers rerun-hook app postCreateCommand',
    '       See all of it with `agentcontainers logs app`.',
    '',
  ]);
});

test('a next step that the error says itself is not said twice', () => {
  const error = 'It failed. Run it again with: agentcontainers rerun-hook app postCreateCommand';
  expect(conclude({ devcontainer: { error, degraded: [HOOK] } }).notes.match(/rerun-hook/g)).toHaveLength(1);
});

test('a build that failed shows the end of its log', () => {
  const { code, notes, lines } = conclude({
    operation: { kind: 'recreate', status: 'failed', error: 'The build failed. The earlier container runs on.' },
    devcontainer: { dirty: true },
    tail: ['RUN false', 'exit code 1'],
  });
  expect(code).toBe(1);
  expect(notes.split('\n').slice(1, 3)).toEqual(['       RUN false', '       exit code 1']);
  expect(lines[0]).toContain('app is running');
});

test('an image that asks for more than was accepted leads to trust', () => {
  const failed = { status: 'failed', error: 'Devcontainer is not trusted' } as const;
  const { notes } = conclude({ operation: failed, devcontainer: { ...UNTRUSTED, status: 'error' } });
  expect(notes).toContain('What it can do to this machine is not accepted: agentcontainers trust app');
});

test('a command for this machine that was left out is said, but only where one would have run', () => {
  const steps = [{ name: 'create', started_at: '2025-01-31T12:00:00.000Z' }];
  const notes = (operation: Partial<WireOperation>, devcontainer: Partial<WireDevcontainer> = UNTRUSTED) =>
    conclude({ operation: { steps, ...operation }, devcontainer }).notes;
  expect(notes({})).toContain('Its initializeCommand, which would run on this machine, was left out');
  expect(notes({ kind: 'stop' })).toBe('');
  expect(notes({ steps: [] })).toBe('');
  const mount = UNTRUSTED.verdict.findings.slice(1);
  expect(notes({}, { trusted: false, verdict: { ...UNTRUSTED.verdict, findings: mount } })).toBe('');
  expect(notes({}, { ...UNTRUSTED, trusted: true })).toBe('');
});

test('what was interrupted can be begun again, what removed itself has no more to say', () => {
  const interrupted = (kind: WireOperation['kind']) => conclude({ operation: { kind, status: 'interrupted' } }).notes;
  expect(interrupted('create')).toContain('Begin it again: agentcontainers up app\n');
  expect(interrupted('recover')).not.toContain('Begin it again');
  expect(conclude({ operation: { kind: 'delete' }, devcontainer: undefined })).toMatchObject({
    code: 0,
    lines: ['delete of dc-1: succeeded.'],
  });
});
