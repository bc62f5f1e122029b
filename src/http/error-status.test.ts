import { expect, test } from 'vitest';
import { AgentContainersError, ERROR_FAMILIES } from '../errors.ts';
import type { ErrorCode } from '../errors.ts';
import { toErrorAnswer } from './error-status.ts';

const CODES = Object.keys(ERROR_FAMILIES) as ErrorCode[];

test.each(CODES)('%s has an answer that fits its family', (code) => {
  const error = new AgentContainersError(code, 'Doing it failed: for a reason.\n    at stack (x.js:1)');
  const { status, body, unexpected } = toErrorAnswer(error);
  if (error.family === 'broken') {
    expect({ status, body, unexpected }).toEqual({
      status: 500,
      body: { message: 'Internal error' },
      unexpected: true,
    });
    return;
  }
  if (error.family === 'rejected' && code !== 'api-closed') expect(status).toBeLessThan(500);
  expect(status).toBeGreaterThanOrEqual(400);
  expect(body.detail).toBe('Doing it failed: for a reason.');
  expect(unexpected).toBe(false);
});

test('a route can word an error in its own way, its status stays', () => {
  const error = new AgentContainersError('list-failed', 'Listing failed: x.');
  expect(toErrorAnswer(error, { 'list-failed': 'Could not list containers' })).toMatchObject({
    status: 500,
    body: { message: 'Could not list containers' },
  });
});

test.each(['Devcontainer not found.', 'Devcontainer not found'])(
  'a detail that only repeats the message (%s) is left out',
  (text) => {
    const body = (error: AgentContainersError) => toErrorAnswer(error).body;
    expect(body(new AgentContainersError('devcontainer-not-found', text)).detail).toBeUndefined();
    expect(
      body(new AgentContainersError('devcontainer-not-found', 'Finding it failed.', { details: { detail: text } }))
        .detail,
    ).toBeUndefined();
  },
);

test('details that are not of the expected kind are not shown', () => {
  const details = { detail: { a: 1 } as unknown as string, configPaths: ['/a', 7], validations: 'x' };
  const { body } = toErrorAnswer(
    new AgentContainersError('config-ambiguous', 'Choosing failed: several.', { details }),
  );
  expect(body.config_paths).toEqual(['/a']);
  expect(body.validations).toBeUndefined();
});
