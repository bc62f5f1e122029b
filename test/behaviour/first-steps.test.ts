import { expect, test } from 'vitest';
import { AgentContainersError } from '../../src/index.ts';
import { begin, beginWithApp } from './support/story.ts';

test('bringing up what runs already, and was only seen so far, injects its sub-agent at once', async () => {
  const { world, api, only, end } = await beginWithApp({ options: { adopt: 'none' } });
  expect(await only()).toMatchObject({ level: 'seen', status: 'running' });
  const { started } = await api.create({ workspaceFolder: '/src/app' });
  expect(started).toBe(false);
  await world.clock.settle();
  expect(await only()).toMatchObject({ level: 'adopted', agent: { status: 'running' } });
  await end();
});

test('an up that cannot reach the engine fails, and does not wait for the engine to come back', async () => {
  const { world, api, end } = await begin({}, ({ addWorkspace, cli, engine }) => {
    addWorkspace('/src/app');
    cli.onUp('/src/app', () => {
      throw new AgentContainersError('engine-unreachable', 'Connecting to the container engine failed.');
    });
    engine.goDown();
  });
  const { done } = await api.create({ workspaceFolder: '/src/app' });
  await world.clock.settle();
  expect(await done).toMatchObject({ status: 'failed', error: 'Connecting to the container engine failed.' });
  world.engine.comeBack();
  await world.clock.run(60_000);
  expect((await api.list()).devcontainers).toMatchObject([{ status: 'error' }]);
  await end();
});

test('a hook that failed stays shown over a restart, until another container takes its place', async () => {
  const { world, api, only, end } = await begin({}, ({ addWorkspace, cli }) => {
    addWorkspace('/src/app');
    cli.onUp('/src/app', (up) => {
      const { id } = up.createContainer();
      return up.failure('The postCreateCommand failed.', { containerId: id, phase: 'postCreateCommand' });
    });
  });
  const { operation } = await api.create({ workspaceFolder: '/src/app' });
  const id = operation.devcontainerId;
  await world.clock.run(1_000);
  expect(await only()).toMatchObject({ status: 'running', degraded: [{ phase: 'postCreateCommand' }] });

  // The hook is not run again in the same container, so `up` succeeds.
  world.cli.upCreatesContainer('/src/app');
  const { done } = await api.restartDevcontainer(id);
  await world.clock.run(1_000);
  expect(await done).toMatchObject({ status: 'succeeded' });
  expect(await only()).toMatchObject({ status: 'running', error: 'The postCreateCommand failed.' });

  await api.recreate(id);
  await world.clock.run(1_000);
  expect((await only()).error).toBeUndefined();
  await end();
});

test('what a sub-agent writes is in the log of its devcontainer', async () => {
  const { world, api, id, containerId, end } = await beginWithApp();
  world.subAgentLauncher.running(containerId)[0]?.request.onOutput?.('thinking about it');
  let text = '';
  for await (const chunk of api.logs(id)) text += chunk.text;
  expect(text).toBe('sub-agent: thinking about it\n');
  await end();
});
