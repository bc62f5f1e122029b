import { expect, test } from 'vitest';
import { engineStatusError } from './engine-error.ts';

test.each([
  ['not found', 404, { message: 'No such container: x' }, 'engine-object-not-found'],
  ['a conflict', 409, { message: 'is in use' }, 'engine-conflict'],
  ["Podman's state that does not fit", 500, { cause: 'container state improper', message: 'm' }, 'engine-conflict'],
  ["Podman's network in use", 500, { cause: 'network is being used', message: 'm' }, 'engine-conflict'],
  ["Podman's volume in use", 500, { cause: 'volume is being used', message: 'm' }, 'engine-conflict'],
  ["Podman's container that goes", 500, { cause: 'no such container', message: 'm' }, 'engine-object-not-found'],
  ['such words in the message alone', 500, { message: 'network is being used' }, 'engine-request-failed'],
  ['another fault', 500, { cause: 'read-only file system', message: 'm' }, 'engine-request-failed'],
  ['no JSON', 500, 'network is being used', 'engine-request-failed'],
] as const)('an answer that tells of %s has its code', (_what, status, body, code) => {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  expect(engineStatusError('Doing', status, text)).toMatchObject({ code, details: { status } });
});
