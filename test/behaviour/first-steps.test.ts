import { expect, test } from 'vitest';
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

test('what cannot be known to have no container is not brought up: the engine is away, and there may be one', async () => {
  const { world, api, only, end } = await begin({}, ({ addWorkspace, engine }) => {
    addWorkspace('/src/app');
    engine.addContainer({ workspaceFolder: '/src/app', name: 'app-1' });
    engine.goDown();
  });
  await expect(api.create({ workspaceFolder: '/src/app' })).rejects.toMatchObject({ code: 'list-failed' });
  expect(world.cli.calls.up).toBe(0);
  world.engine.comeBack();
  await world.clock.run(60_000);
  expect(await only()).toMatchObject({ status: 'running', container: { name: 'app-1' } });
  const { started } = await api.create({ workspaceFolder: '/src/app' });
  expect(started).toBe(false);
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
