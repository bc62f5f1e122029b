import { expect, test } from 'vitest';
import { createGate } from '../../src/testing/index.ts';
import { APP, begin, beginWithApp, CONFIG } from './support/story.ts';

test('what a manifest names is shown as stopped until its container is seen', async () => {
  const manifest = [{ workspaceFolder: '/src/app' }];
  const { world, api, only, afterEvent, end } = await begin({ manifest }, ({ addWorkspace }) => {
    addWorkspace('/src/app');
  });
  const before = await only();
  expect(before).toMatchObject({ name: 'app', status: 'stopped', dirty: false, workspaceFolder: '/src/app' });
  expect(before.container).toBeUndefined();
  expect(world.watcher.directories).toEqual(['/src/app/.devcontainer']);

  world.engine.addContainer({ workspaceFolder: '/src/app' });
  await afterEvent();
  expect(await api.get(before.id)).toMatchObject({ status: 'running', agent: { status: 'running' } });
  await end();
});

test.each([
  ['running', 'running'],
  ['exited', 'stopped'],
  ['created', 'stopped'],
  ['paused', 'stopped'],
  ['restarting', 'stopped'],
  ['dead', 'stopped'],
] as const)('a new container that is %s shows as %s and its configuration is watched', async (state, status) => {
  const { world, only, end } = await beginWithApp({ container: { state } });
  expect(await only()).toMatchObject({ status, container: { state } });
  expect(world.watcher.directories).toEqual(['/src/app/.devcontainer']);
  expect(world.subAgentLauncher.running()).toHaveLength(status === 'running' ? 1 : 0);
  await end();
});

test('the status follows the container within one event', async () => {
  const { world, only, containerId, afterEvent, end } = await beginWithApp();
  for (const [act, status] of [
    [() => world.engine.stop(containerId), 'stopped'],
    [() => world.engine.start(containerId), 'running'],
    [() => world.engine.pause(containerId), 'stopped'],
    [() => world.engine.unpause(containerId), 'running'],
    [() => world.engine.crash(containerId), 'stopped'],
    [() => world.engine.restart(containerId), 'running'],
  ] as const) {
    act();
    await afterEvent();
    expect((await only()).status).toBe(status);
  }
  await end();
});

test('a devcontainer whose container is gone is stopped and not dirty', async () => {
  const { world, only, containerId, afterEvent, end } = await beginWithApp();
  world.configFiles.write('/src/app', CONFIG, { image: 'other' });
  await world.clock.settle();
  expect(await only()).toMatchObject({ status: 'running', dirty: true });
  world.engine.remove(containerId);
  await afterEvent();
  const gone = await only();
  expect(gone).toMatchObject({ status: 'stopped', dirty: false });
  expect(gone.container).toBeUndefined();
  expect(gone.dirtyReasons).toBeUndefined();
  expect(gone.agent).toBeUndefined();
  await end();
});

test('a create shows as starting, then as running with the container that it made', async () => {
  const gate = createGate();
  const { world, api, only, end } = await begin({}, ({ addWorkspace, cli }) => {
    addWorkspace('/src/app');
    cli.onUp(APP, async (up) => {
      await up.wait(gate);
      return up.success(up.createContainer().id);
    });
  });
  const { operation, started, done } = await api.create({ workspaceFolder: '/src/app' });
  expect(started).toBe(true);
  expect(await only()).toMatchObject({ status: 'starting', operationId: operation.id });
  gate.open();
  await world.clock.settle();
  expect(await done).toMatchObject({ kind: 'create', status: 'succeeded' });
  expect(await only()).toMatchObject({ status: 'running', agent: { status: 'running' } });
  expect((await only()).operationId).toBeUndefined();
  await end();
});

test('an up that ends well with a container that has stopped again leaves the devcontainer stopped', async () => {
  const { world, api, only, end } = await begin({}, ({ addWorkspace, cli, engine }) => {
    addWorkspace('/src/app');
    cli.onUp(APP, (up) => {
      const { id } = up.createContainer();
      engine.stop(id);
      return up.success(id);
    });
  });
  const { done } = await api.create({ workspaceFolder: '/src/app' });
  await world.clock.settle();
  expect(await done).toMatchObject({ status: 'succeeded' });
  expect(await only()).toMatchObject({ status: 'stopped', container: { state: 'exited' } });
  await end();
});

test('what happens to a container while a job owns its devcontainer does not touch the status', async () => {
  const gate = createGate();
  const { world, api, only, id, containerId, afterEvent, end } = await beginWithApp({
    arrange: ({ cli }) =>
      cli.onUp(APP, async (up) => {
        await up.wait(gate);
        return up.success(up.createContainer().id);
      }),
  });
  await api.recreate(id);
  world.engine.stop(containerId);
  await afterEvent();
  expect(await only()).toMatchObject({ status: 'starting' });
  world.engine.start(containerId);
  await afterEvent();
  await api.refresh();
  expect(await only()).toMatchObject({ status: 'starting' });
  expect(world.subAgentLauncher.running()).toEqual([]);
  gate.open();
  await world.clock.settle();
  expect(await only()).toMatchObject({ status: 'running' });
  await end();
});

test('everything visible is told to subscribers, and nothing else is', async () => {
  const { world, api, only, containerId, afterEvent, end } = await beginWithApp();
  let told = 0;
  const off = api.subscribe(() => told++);
  await api.refresh();
  await api.refresh();
  expect(told).toBe(0);

  const changes = [
    () => world.engine.addContainer({ name: 'plain' }),
    () => world.engine.stop('plain'),
    () =>
      world.engine.addContainer({ ports: [{ port: 80, network: 'tcp', hostPort: 8080 }], portWarnings: ['odd port'] }),
    () => world.subAgentLauncher.running(containerId)[0]?.crash(),
    () => world.engine.crash(containerId),
  ];
  for (const change of changes) {
    const before = told;
    change();
    await afterEvent();
    expect(told).toBeGreaterThan(before);
  }
  expect((await api.list()).warnings).toEqual(['odd port']);
  expect(await only()).toMatchObject({ status: 'stopped' });

  const before = told;
  off();
  world.engine.start(containerId);
  await afterEvent();
  expect(told).toBe(before);
  await end();
});
