import { expect, test } from 'vitest';
import { AgentContainersError, ERROR_FAMILIES, type ErrorCode } from '../errors.ts';
import { toErrorAnswer } from '../http/error-status.ts';
import { exitCodeOf } from './exit-codes.ts';

test.each<[ErrorCode, number]>([
  ['invalid-request', 2],
  ['devcontainer-not-found', 3],
  ['folder-not-found', 3],
  ['devcontainer-transitioning', 4],
  ['devcontainer-busy', 4],
  ['devcontainer-not-trusted', 4],
  ['verdict-changed', 4],
  ['config-ambiguous', 4],
  ['state-locked', 4],
  ['engine-unreachable', 5],
  ['engine-api-version', 5],
  ['up-failed', 1],
  ['api-closed', 1],
  ['broken-contract', 1],
])('%s ends with %i', (code, expected) => {
  expect(exitCodeOf(new AgentContainersError(code, 'x'))).toBe(expected);
});

test('an answer whose code says nothing is judged by its status', () => {
  expect(exitCodeOf(new AgentContainersError('up-failed', 'x', { details: { status: 409 } }))).toBe(4);
  expect(exitCodeOf(new AgentContainersError('up-failed', 'x', { details: { status: 500 } }))).toBe(1);
});

test('the code goes before the status', () => {
  expect(exitCodeOf(new AgentContainersError('engine-unreachable', 'x', { details: { status: 500 } }))).toBe(5);
});

test('anything else that was thrown is a plain failure', () => {
  expect(exitCodeOf(new Error('x'))).toBe(1);
  expect(exitCodeOf('x')).toBe(1);
});

// The daemon tells an error as the answer to a request, with a status, or in a frame of a stream, without one.
test.each(Object.keys(ERROR_FAMILIES) as ErrorCode[])(
  '%s ends the same with the status of its answer and without',
  (code) => {
    const { status } = toErrorAnswer(new AgentContainersError(code, 'x'));
    const withStatus = exitCodeOf(new AgentContainersError(code, 'x', { details: { status } }));
    expect(exitCodeOf(new AgentContainersError(code, 'x'))).toBe(withStatus);
  },
);
