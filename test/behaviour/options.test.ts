import { expect, test } from 'vitest';
import { createAgentContainers } from '../../src/index.ts';
import type { AgentContainersOptions } from '../../src/index.ts';
import { createTestWorld } from '../../src/testing/index.ts';
import { beginWithApp, tell } from './support/story.ts';

const TIMES = ['updateIntervalMs', 'listTimeoutMs', 'eventDebounceMs', 'injectTimeoutMs', 'stopGraceSeconds'] as const;

test.each(TIMES)('%s beyond what a timer can wait, or no number above 0, is refused', (name) => {
  for (const value of [2 ** 31, Number.POSITIVE_INFINITY, Number.NaN, 0, -1]) {
    const world = createTestWorld();
    expect(() => createAgentContainers({ ...world.options, [name]: value })).toThrow(
      expect.objectContaining({ code: 'invalid-request', message: expect.stringContaining(`Option ${name} must be`) }),
    );
    world.assertNoLeaks();
  }
});

test('the longest times that are allowed work', async () => {
  const longest: AgentContainersOptions = {
    updateIntervalMs: 2 ** 31 - 1,
    listTimeoutMs: 2 ** 31 - 1,
    injectTimeoutMs: 2 ** 31 - 1,
    stopGraceSeconds: 2_147_453,
  };
  const { world, api, only, id, end } = await beginWithApp({ options: longest });
  expect(await only()).toMatchObject({ status: 'running', agent: { status: 'running' } });
  const { done } = await api.stopDevcontainer(id);
  await world.clock.settle();
  expect(await done).toMatchObject({ status: 'succeeded' });
  await end();
});

test('a grace for which no deadline can be set is refused, though it is below the limit as a number', () => {
  const world = createTestWorld();
  expect(() => tell(world, { stopGraceSeconds: 2_147_454 })).toThrow('Option stopGraceSeconds must be');
});
