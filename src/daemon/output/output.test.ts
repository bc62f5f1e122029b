import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { AgentContainersError } from '../../errors.ts';
import { createOutput, errorBody, wantsColor } from './output.ts';

function capture(json: boolean) {
  const out = new PassThrough();
  const err = new PassThrough();
  const output = createOutput({ json }, out as unknown as NodeJS.WriteStream, err as unknown as NodeJS.WriteStream);
  return { output, stdout: () => String(out.read() ?? ''), stderr: () => String(err.read() ?? '') };
}

test('colour needs a terminal, and NO_COLOR or a dumb terminal switches it off', () => {
  expect(wantsColor({ isTTY: true }, {})).toBe(true);
  expect(wantsColor({ isTTY: false }, {})).toBe(false);
  expect(wantsColor({ isTTY: true }, { NO_COLOR: '1' })).toBe(false);
  expect(wantsColor({ isTTY: true }, { NO_COLOR: '' })).toBe(true);
  expect(wantsColor({ isTTY: true }, { TERM: 'dumb' })).toBe(false);
});

test('with --json only results and errors are written, each one JSON line on stdout', () => {
  const { output, stdout, stderr } = capture(true);
  output.line('x');
  output.note('y');
  output.result({ a: 1 });
  output.error(new AgentContainersError('devcontainer-busy', 'Devcontainer is busy', { details: { detail: 'why' } }));
  expect(stdout()).toBe(
    '{"a":1}\n{"error":{"code":"devcontainer-busy","message":"Devcontainer is busy","detail":"why"}}\n',
  );
  expect(stderr()).toBe('');
});

test('for people errors go to stderr, safe for a terminal and without a stack trace', () => {
  const { output, stdout, stderr } = capture(false);
  output.result({ a: 1 });
  output.error(new AgentContainersError('up-failed', 'a\u001b[2Jb', { details: { detail: 'c\u0007' } }));
  expect(stdout()).toBe('');
  expect(stderr()).toBe('error: ab\n       c\ufffd\n');
});

test('an error that is not ours has no code', () => {
  expect(errorBody(new Error('one\ntwo'))).toEqual({ error: { message: 'one' } });
});

const FINDING = { kind: 'mount', detail: '/var/run/docker.sock', source: 'devcontainer.json' };
const HOLDER = { id: 'h-1', kind: 'exec', description: 'npm', since: '2025-01-31T12:00:00.000Z' };

test('a refusal shows findings or holders as a table instead of the detail, then the next step', () => {
  const { output, stderr } = capture(false);
  const refusal = (code: 'devcontainer-not-trusted' | 'devcontainer-busy', details: object) =>
    new AgentContainersError(code, 'Refused', { details: { detail: 'all of it in a line', ...details } });
  output.error(refusal('devcontainer-not-trusted', { findings: [FINDING], hash: 'h', next: 'Do \u001b[2Jthis.' }));
  expect(stderr().split('\n')).toEqual([
    'error: Refused',
    '          FINDING  WHAT                  SAID BY',
    '       +  mount    /var/run/docker.sock  devcontainer.json',
    expect.stringMatching(/^ {7}mount: files of this machine/),
    '       Do this.',
    '',
  ]);
  output.error(refusal('devcontainer-busy', { holders: [HOLDER] }));
  expect(stderr().split('\n')).toEqual([
    'error: Refused',
    '       USED BY  WHAT  SINCE',
    '       exec     npm   2025-01-31T12:00:00.000Z',
    '',
  ]);
});

test('with --json a refusal has findings, hash, holders and the next step as fields', () => {
  const details = { status: 403, findings: [FINDING], hash: 'h', holders: [HOLDER], next: 'Do this.' };
  const error = new AgentContainersError('devcontainer-not-trusted', 'Refused', { details });
  expect(errorBody(error)).toEqual({
    error: {
      code: 'devcontainer-not-trusted',
      message: 'Refused',
      findings: [FINDING],
      hash: 'h',
      holders: [HOLDER],
      next: 'Do this.',
    },
  });
});
