import { expect, it } from 'vitest';

import { cancelled } from '../errors.ts';
import { notStarted, orCancelled } from './cli-errors.ts';

it.each([
  ['EMFILE', 'cli-failed', /^Starting the devcontainer CLI failed: this program has no file descriptors left\. Raise/],
  ['EAGAIN', 'cli-failed', /^Starting the devcontainer CLI failed: no more processes may be started\. Raise/],
  ['ENOENT', 'cli-missing', /^Starting the devcontainer CLI failed: spawn ENOENT\. Check that Node\.js/],
  ['constructor', 'cli-missing', /^Starting the devcontainer CLI failed: spawn constructor\. /],
])('says what to do about %s', (code, expected, message) => {
  const error = notStarted(Object.assign(new Error(`spawn ${code}`), { code }));
  expect(error.code).toBe(expected);
  expect(error.message).toMatch(message);
});

it('does not wait for work that never answers when it is cancelled', async () => {
  const controller = new AbortController();
  const waiting = orCancelled(new Promise<never>(() => {}), controller.signal);
  controller.abort(cancelled('closing'));
  await expect(waiting).rejects.toMatchObject({ code: 'cancelled', details: { reason: 'closing' } });
  await expect(orCancelled(Promise.reject(new Error('own')), new AbortController().signal)).rejects.toThrow('own');
});
