import { expect, test } from 'vitest';
import { begin } from './support/story.ts';

test('a container with the folder label is a devcontainer, any other is listed only', async () => {
  const { world, api, end, afterEvent } = await begin();
  world.addWorkspace('/src/app');
  const app = world.engine.addContainer({ workspaceFolder: '/src/app', name: 'app-1' });
  const plain = world.engine.addContainer({ name: 'db' });
  await afterEvent();
  const { devcontainers, containers } = await api.list();
  expect(devcontainers).toMatchObject([
    { name: 'app', status: 'running', workspaceFolder: '/src/app', container: { id: app.id } },
  ]);
  expect(containers.map(({ name }) => name).sort()).toEqual(['app-1', 'db']);
  const listed = containers.find(({ id }) => id === plain.id);
  expect(listed?.devcontainerId).toBeUndefined();
  expect(listed?.level).toBeUndefined();
  expect(containers.find(({ id }) => id === app.id)).toMatchObject({
    devcontainerId: devcontainers[0]?.id,
    level: 'adopted',
  });
  await end();
});

test('a container of a test run is no devcontainer', async () => {
  const { world, api, end } = await begin({}, ({ engine, addWorkspace }) => {
    addWorkspace('/src/app');
    engine.addContainer({ workspaceFolder: '/src/app', labels: { 'devcontainer.is_test_run': 'true' } });
  });
  expect((await api.list()).devcontainers).toEqual([]);
  expect((await api.list()).containers).toHaveLength(1);
  expect(world.subAgentLauncher.calls.deliver).toBe(0);
  await end();
});

test('a container of a test run counts when a label filter is set and matches', async () => {
  const { api, end } = await begin({ labels: ['suite=mine'] }, ({ engine, addWorkspace }) => {
    addWorkspace('/src/app');
    const labels = { 'devcontainer.is_test_run': 'true', suite: 'mine' };
    engine.addContainer({ workspaceFolder: '/src/app', labels });
  });
  expect((await api.list()).devcontainers).toHaveLength(1);
  await end();
});

test('a label filter must match in all of its labels, by name or by name and value', async () => {
  const { api, end } = await begin({ labels: ['team=a', 'keep'] }, ({ engine, addWorkspace }) => {
    for (const [folder, labels] of [
      ['/src/both', { team: 'a', keep: '' }],
      ['/src/one', { team: 'a' }],
      ['/src/other-value', { team: 'ab', keep: 'yes' }],
    ] as const) {
      addWorkspace(folder);
      engine.addContainer({ workspaceFolder: folder, labels });
    }
  });
  const { devcontainers, containers } = await api.list();
  expect(devcontainers.map(({ name }) => name)).toEqual(['both']);
  expect(containers).toHaveLength(3);
  await end();
});

test('a list can be narrowed by labels without a change of what counts', async () => {
  const { api, end } = await begin({}, ({ engine, addWorkspace }) => {
    addWorkspace('/src/a');
    addWorkspace('/src/b');
    engine.addContainer({ workspaceFolder: '/src/a', labels: { team: 'a' } });
    engine.addContainer({ workspaceFolder: '/src/b', labels: { team: 'b' } });
  });
  const narrowed = await api.list({ labels: ['team=b'] });
  expect(narrowed.devcontainers.map(({ name }) => name)).toEqual(['b']);
  expect(narrowed.containers).toHaveLength(1);
  expect((await api.list()).devcontainers).toHaveLength(2);
  await end();
});

test.each([
  ['an object', '{"remoteUser":"dev"}'],
  ['an array', '[{"remoteUser":"dev"},{"customizations":{"coder":{"ignore":false}}}]'],
  ['broken JSON', '{"remoteUser'],
  ['a number', '7'],
  ['nothing', ''],
])('a metadata label that holds %s does not stop anything', async (_what, metadata) => {
  const { api, end } = await begin({}, ({ engine, addWorkspace }) => {
    addWorkspace('/src/app');
    engine.addContainer({ workspaceFolder: '/src/app', labels: { 'devcontainer.metadata': metadata } });
  });
  expect((await api.list()).devcontainers).toMatchObject([{ status: 'running', agent: { status: 'running' } }]);
  await end();
});

test.each([
  ['empty', ''],
  ['relative', 'src/app'],
  ['longer than any path', `/${'x'.repeat(5_000)}`],
])('a folder label that is %s makes no devcontainer', async (_what, folder) => {
  const { api, world, end } = await begin({}, ({ engine }) => {
    engine.addContainer({ labels: { 'devcontainer.local_folder': folder }, mounts: [] });
  });
  expect((await api.list()).devcontainers).toEqual([]);
  expect((await api.list()).containers).toHaveLength(1);
  expect(world.logger.messages('error')).toEqual([]);
  await end();
});
