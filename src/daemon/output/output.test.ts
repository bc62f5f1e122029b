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
