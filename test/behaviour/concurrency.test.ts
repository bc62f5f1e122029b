import { expect, test } from 'vitest';
import { createGate } from '../../src/testing/index.ts';
import { APP, begin, beginWithApp } from './support/story.ts';

test('20 creates of one folder at the same time make one container and give 20 equal answers', async () => {
  const gate = createGate();
  const { world, api, only, end } = await begin({}, ({ addWorkspace, cli, configFiles }) => {
    addWorkspace('/src/app');
    configFiles.alias('/link', '/src/app');
    cli.onUp(APP, async (up) => {
      await up.wait(gate);
      return up.success(up.createContainer().id);
    });
  });
  const spellings = ['/src/app', '/src/app/', '/src/x/../app', '/link'];
  const receipts = await Promise.all(
    Array.from({ length: 20 }, (_, index) => api.create({ workspaceFolder: spellings[index % 4] ?? '' })),
  );
  expect(new Set(receipts.map(({ operation }) => operation.id)).size).toBe(1);
  expect(receipts.every(({ started }) => started)).toBe(true);
  gate.open();
  await world.clock.settle();
  const ends = await Promise.all(receipts.map(({ done }) => done));
  for (const one of ends) expect(one).toEqual(ends[0]);
  expect(ends[0]).toMatchObject({ status: 'succeeded' });
  expect(world.cli.calls.up).toBe(1);
  expect(world.engine.containers()).toHaveLength(1);
  expect(world.subAgentLauncher.processes).toHaveLength(1);
  expect(await only()).toMatchObject({ status: 'running' });
  await end();
});

test.each(['startDevcontainer', 'stopDevcontainer', 'restartDevcontainer'] as const)(
  'equal requests for %s share one operation',
  async (command) => {
    const { world, api, id, end } = await beginWithApp({
      container: { state: command === 'startDevcontainer' ? 'exited' : 'running' },
    });
    const receipts = await Promise.all(Array.from({ length: 5 }, () => api[command](id)));
    expect(new Set(receipts.map(({ operation }) => operation.id)).size).toBe(1);
    await world.clock.settle();
    for (const { done } of receipts) expect(await done).toMatchObject({ status: 'succeeded' });
    expect(world.cli.calls.up).toBe(command === 'stopDevcontainer' ? 0 : 1);
    expect(world.engine.calls.stopContainer).toBe(command === 'startDevcontainer' ? 0 : 1);
    await end();
  },
);

test('while one job owns a devcontainer every other command is refused, and it stays with that job', async () => {
  const { world, api, only, id, containerId, end } = await beginWithApp();
  const gate = world.engine.hang('stopContainer');
  const { done, operation } = await api.stopDevcontainer(id);
  await gate.reached();
  const refused = { code: 'devcontainer-transitioning' };
  await expect(api.recreate(id)).rejects.toMatchObject(refused);
  await expect(api.startDevcontainer(id)).rejects.toMatchObject(refused);
  await expect(api.restartDevcontainer(id)).rejects.toMatchObject(refused);
  await expect(api.create({ workspaceFolder: '/src/app' })).rejects.toMatchObject(refused);
  await expect(api.remove(id)).rejects.toMatchObject(refused);
  await expect(api.recreateByContainer(containerId)).rejects.toMatchObject({ code: 'recreation-in-progress' });
  expect(await only()).toMatchObject({ status: 'stopping', operationId: operation.id });
  gate.open();
  await world.clock.settle();
  expect(await done).toMatchObject({ status: 'succeeded' });
  expect(await only()).toMatchObject({ status: 'stopped' });
  expect(world.cli.calls.up).toBe(0);
  await end();
});

test('a recreate, a stop and a delete at the same time: one is accepted', async () => {
  const { world, api, id, end } = await beginWithApp();
  const results = Promise.allSettled([api.recreate(id), api.stopDevcontainer(id), api.remove(id)]);
  await world.clock.settle();
  const settled = await results;
  expect(settled.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected']);
  // Those of the exchange.
  expect(world.engine.calls).toMatchObject({ stopContainer: 1, renameContainer: 1, removeContainer: 1 });
  await end();
});

test('different devcontainers do not wait for each other, up to a limit of ups', async () => {
  const folders = ['/src/a', '/src/b', '/src/c', '/src/d'];
  const gate = createGate();
  const { world, api, end } = await begin({ maxUps: 2 }, ({ addWorkspace, cli }) => {
    for (const folder of folders) {
      addWorkspace(folder);
      cli.onUp({ workspaceFolder: folder, configPath: `${folder}/.devcontainer/devcontainer.json` }, async (up) => {
        await up.wait(gate);
        return up.success(up.createContainer().id);
      });
    }
  });
  const receipts = await Promise.all(folders.map((workspaceFolder) => api.create({ workspaceFolder })));
  await world.clock.settle();
  expect(world.cli.running).toEqual(['/src/a', '/src/b']);
  const { devcontainers } = await api.list();
  expect(devcontainers.map(({ status }) => status)).toEqual(['starting', 'starting', 'starting', 'starting']);
  gate.open();
  await world.clock.settle();
  for (const { done } of receipts) expect(await done).toMatchObject({ status: 'succeeded' });
  expect(world.engine.containers()).toHaveLength(4);
  await end();
});
