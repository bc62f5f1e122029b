import { expect, it } from 'vitest';

import { comesAfter, HOOKS, waitForOf } from './wait-for.ts';

it.each([
  [{}, 'updateContentCommand'],
  [{ waitFor: 'postStartCommand' }, 'postStartCommand'],
  [{ waitFor: 'initializeCommand' }, 'initializeCommand'],
  [{ waitFor: 'something else' }, 'updateContentCommand'],
  [{ waitFor: 3 }, 'updateContentCommand'],
])('waits with %j for %s', (config, hook) => {
  expect(waitForOf(config)).toBe(hook);
});

it.each([
  [
    'initializeCommand',
    ['onCreateCommand', 'updateContentCommand', 'postCreateCommand', 'postStartCommand', 'postAttachCommand'],
  ],
  ['updateContentCommand', ['postCreateCommand', 'postStartCommand', 'postAttachCommand']],
  ['postAttachCommand', []],
] as const)('is ready after %s with any of %j', (waitFor, ready) => {
  expect(HOOKS.filter((hook) => comesAfter(hook, waitFor))).toEqual(ready);
});
