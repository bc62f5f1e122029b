import { expect, test } from 'vitest';
import { APP, beginWithApp } from './support/story.ts';

const STORE = '/state/sub-agents';

test('a container that is made has the directory of sub-agents, so that nothing is copied into it', async () => {
  const { world, api, id, end } = await beginWithApp({
    arrange: ({ subAgentLauncher }) => subAgentLauncher.mounts(STORE),
  });
  await api.recreate(id);
  await world.clock.settle();
  expect(world.cli.upRequests).toMatchObject([{ readOnlyMounts: [{ source: STORE, target: '/.agentcontainers' }] }]);
  await end();
});

test('an engine that does not have that directory makes the container without it, and is not asked again', async () => {
  const { world, api, only, id, end } = await beginWithApp({
    arrange: ({ cli, subAgentLauncher }) => {
      subAgentLauncher.mounts(STORE);
      cli.onUp(APP, (up) => {
        if (up.request.readOnlyMounts?.length === 0) return up.success(up.createContainer().id);
        const outputTail = `invalid mount config for type "bind": bind source path does not exist: ${STORE}`;
        return up.failure('Creating the container failed.', { phase: 'create', outputTail });
      });
    },
  });
  for (let time = 0; time < 2; time++) {
    const { done } = await api.recreate(id);
    await world.clock.settle();
    expect(await done).toMatchObject({ status: 'succeeded' });
  }
  expect(await only()).toMatchObject({ status: 'running', agent: { status: 'running' } });
  expect(world.cli.upRequests.map(({ readOnlyMounts }) => readOnlyMounts?.length)).toEqual([1, 0, 0]);
  expect(world.logger.messages('warn')).toContainEqual(expect.stringContaining('cannot mount the directory'));
  await end();
});

test('what opted out of a sub-agent gets no directory of them either', async () => {
  const { world, api, id, end } = await beginWithApp({
    workspace: { config: { image: 'x', customizations: { agentcontainers: { ignore: true } } } },
    arrange: ({ subAgentLauncher }) => subAgentLauncher.mounts(STORE),
  });
  await api.recreate(id);
  await world.clock.settle();
  expect(world.cli.upRequests).toMatchObject([{ readOnlyMounts: [] }]);
  await end();
});
