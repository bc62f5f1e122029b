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

const FINDING = { kind: 'mount', detail: '/', source: 'devcontainer.json' };
const HOLDER = { id: 'h', kind: 'exec', description: 'npm', since: 0 };
test.each<[ErrorCode, string[]]>([
  ['devcontainer-not-trusted', ['findings', 'hash']],
  ['verdict-changed', ['findings', 'hash']],
  ['devcontainer-busy', ['holders']],
  ['config-ambiguous', ['config_paths']],
  ['invalid-request', ['validations']],
  ['command-refused', ['reason']],
  ['runtime-unavailable', ['reason']],
  ['up-failed', []],
])('of %s only %j are shown, whatever else it carries', (code, shown) => {
  const details = {
    detail: 'Why.',
    findings: [FINDING],
    hash: 'h',
    holders: [HOLDER],
    configPaths: ['/a'],
    validations: [{ field: 'f', detail: 'd' }],
    reason: 'cwd-not-found',
    token: 'secret',
  };
  const { body } = toErrorAnswer(new AgentContainersError(code, 'x', { details }));
  const fields = Object.entries(body).filter(([, value]) => value !== undefined);
  expect(fields.map(([name]) => name).sort()).toEqual(['message', 'code', 'detail', ...shown].sort());
});

test.each([
  ['findings', 'devcontainer-not-trusted', [{ ...FINDING, kind: 7 }, null, 'x', FINDING]],
  ['holders', 'devcontainer-busy', [{ ...HOLDER, since: 'now' }, {}, HOLDER]],
] as const)('of %s only what is one is shown, and of one only its own fields', (name, code, items) => {
  const details = { [name]: items.map((item) => (item === FINDING || item === HOLDER ? { ...item, more: 1 } : item)) };
  const { body } = toErrorAnswer(new AgentContainersError(code, 'x', { details }));
  expect(body[name]).toHaveLength(1);
  expect(body[name]?.[0]).not.toHaveProperty('more');
});
