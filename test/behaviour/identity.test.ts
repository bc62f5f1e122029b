import { expect, test } from 'vitest';
import { APP, begin, beginWithApp, restarted } from './support/story.ts';

test.each([
  ['with a slash at its end', '/src/app/', undefined],
  ['with dots in it', '/src/x/../app', undefined],
  ['through a symlink', '/link', undefined],
  ['with a config path through a symlink', '/src/app', '/link/.devcontainer/devcontainer.json'],
])('a folder %s is the same devcontainer', async (_what, workspaceFolder, configPath) => {
  const { world, api, id, afterEvent, only, end } = await beginWithApp();
  world.configFiles.alias('/link', '/src/app');
  const second = world.engine.addContainer({
    workspaceFolder,
    ...(configPath === undefined ? {} : { configPath }),
    state: 'exited',
  });
  await afterEvent();
  expect(await only()).toMatchObject({ id, workspaceFolder: '/src/app', candidates: [{ containerId: second.id }] });

  // A request by that path means the same entry, too.
  const { operation } = await api.create({ workspaceFolder, configPath });
  expect(operation.devcontainerId).toBe(id);
  await end();
});

test('two configurations of one folder are two devcontainers', async () => {
  const { world, api, end } = await begin({}, ({ engine, addWorkspace }) => {
    for (const name of ['api', 'web']) {
      const configPath = `/src/app/.devcontainer/${name}/devcontainer.json`;
      addWorkspace('/src/app', { configPath });
      engine.addContainer({ workspaceFolder: '/src/app', configPath });
    }
  });
  const { devcontainers } = await api.list();
  expect(devcontainers.map(({ configPath }) => configPath)).toEqual([
    '/src/app/.devcontainer/api/devcontainer.json',
    '/src/app/.devcontainer/web/devcontainer.json',
  ]);
  expect(new Set(devcontainers.map(({ id }) => id)).size).toBe(2);
  expect(new Set(devcontainers.map(({ name }) => name)).size).toBe(2);
  expect(world.subAgentLauncher.running()).toHaveLength(2);
  await end();
});

test('a create in a folder with two configurations asks which one', async () => {
  const { api, world, end } = await begin({}, ({ addWorkspace }) => {
    addWorkspace('/src/app', { configPath: '/src/app/.devcontainer.json' });
    addWorkspace('/src/app', { configPath: '/src/app/.devcontainer/web/devcontainer.json' });
  });
  await expect(api.create({ workspaceFolder: '/src/app' })).rejects.toMatchObject({ code: 'config-ambiguous' });
  const { done } = await api.create({ workspaceFolder: '/src/app', configPath: '.devcontainer/web/devcontainer.json' });
  await world.clock.run(20);
  expect(await done).toMatchObject({ status: 'succeeded' });
  await end();
});

test('a create in a folder that is not there, or has no configuration, or a broken one, is refused', async () => {
  const { api, world, end } = await begin();
  world.configFiles.addDirectory('/src/empty');
  world.configFiles.write('/src/broken', '.devcontainer.json', '{ "image": ');
  await expect(api.create({ workspaceFolder: '/nowhere' })).rejects.toMatchObject({ code: 'folder-not-found' });
  await expect(api.create({ workspaceFolder: '/src/empty' })).rejects.toMatchObject({ code: 'config-not-found' });
  await expect(api.create({ workspaceFolder: '/src/broken' })).rejects.toMatchObject({ code: 'config-invalid' });
  expect((await api.list()).devcontainers).toEqual([]);
  expect(world.cli.calls.up).toBe(0);
  await end();
});

test('ids and names are the same after a restart', async () => {
  const first = await begin({}, ({ engine, addWorkspace }) => {
    for (const folder of ['/b/app', '/a/app']) {
      addWorkspace(folder);
      engine.addContainer({ workspaceFolder: folder });
    }
  });
  const look = async ({ api }: typeof first) =>
    (await api.list()).devcontainers.map(({ id, name, workspaceFolder }) => ({ id, name, workspaceFolder }));
  const before = await look(first);
  const second = await restarted(first);
  expect(await look(second)).toEqual(before);
  await second.end();
});

test('an id does not depend on what the library remembers', async () => {
  const first = await beginWithApp();
  const second = await beginWithApp({ options: {} });
  expect(second.world.storage).not.toBe(first.world.storage);
  expect(second.id).toBe(first.id);
  await first.end();
  await second.end();
});

test('a name from the manifest is kept', async () => {
  const { only, end } = await begin(
    { manifest: [{ workspaceFolder: '/src/app', name: 'given' }] },
    ({ addWorkspace, engine }) => {
      addWorkspace('/src/app');
      engine.addContainer({ workspaceFolder: '/src/app' });
    },
  );
  expect(await only()).toMatchObject({ name: 'given', agent: { name: 'given' } });
  await end();
});

test('a config label that is empty is as none', async () => {
  const { only, end } = await begin({}, ({ addWorkspace, engine }) => {
    addWorkspace('/src/app');
    engine.addContainer({ workspaceFolder: '/src/app', labels: { 'devcontainer.config_file': '' } });
  });
  expect(await only()).toMatchObject({ configPath: APP.configPath, agent: { status: 'running' } });
  await end();
});
