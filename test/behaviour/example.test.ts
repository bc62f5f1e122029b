// The example of docs/testing.md: what stands between the markers is the same in both.
import { expect, test } from 'vitest';
import { createAgentContainers } from '../../src/index.ts';
import { createTestWorld } from '../../src/testing/index.ts';

// example: begin
test('an edited configuration shows as dirty until the container is recreated', async () => {
  const world = createTestWorld();
  world.subAgentsSucceed();
  world.addWorkspace('/src/app', { config: { image: 'node:22' } });
  const api = createAgentContainers(world.options);
  await api.start();

  // Somebody starts a container for the folder.
  const { id: old } = world.engine.addContainer({ workspaceFolder: '/src/app' });
  await world.clock.run(1_000);
  const [app] = (await api.list()).devcontainers;
  const id = app?.id ?? '';
  expect(app).toMatchObject({ name: 'app', status: 'running', dirty: false, agent: { status: 'running' } });
  expect(world.subAgentLauncher.running(old)).toHaveLength(1);

  // The configuration is edited.
  world.configFiles.write('/src/app', '.devcontainer/devcontainer.json', { image: 'node:24' });
  await world.clock.settle();
  expect(await api.get(id)).toMatchObject({ status: 'running', dirty: true });

  // It is recreated: a new container, of the new configuration, with a sub-agent of its own.
  const { done } = await api.recreate(id);
  await world.clock.run(1_000);
  expect(await done).toMatchObject({ kind: 'recreate', status: 'succeeded' });
  expect(await api.get(id)).toMatchObject({ status: 'running', dirty: false, agent: { status: 'running' } });
  expect(world.subAgentLauncher.running().map(({ request }) => request.containerId)).not.toContain(old);

  await api.close();
  world.assertNoLeaks();
});
// example: end
