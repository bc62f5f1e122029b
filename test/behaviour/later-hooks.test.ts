import { expect, test } from 'vitest';
import { createGate } from '../../src/testing/index.ts';
import { APP, CONFIG, begin, beginWithApp } from './support/story.ts';

test('a devcontainer is running as soon as a hook after waitFor begins, while that hook goes on', async () => {
  const gate = createGate();
  const { world, api, only, id, end } = await beginWithApp({
    arrange: ({ cli }) =>
      cli.onUp(APP, async (up) => {
        const container = up.createContainer();
        up.ready();
        up.progress('postStartCommand', 'Running the postStartCommand');
        await up.wait(gate);
        return up.success(container.id);
      }),
  });
  const { done } = await api.recreate(id);
  await world.clock.settle();
  expect(await done).toMatchObject({ status: 'succeeded' });
  expect(await only()).toMatchObject({ status: 'running', agent: { status: 'running' } });
  expect(world.cli.running).toEqual(['/src/app']);
  gate.open();
  await world.clock.settle();
  expect(world.cli.running).toEqual([]);
  expect(await only()).toMatchObject({ status: 'running' });
  expect((await only()).error).toBeUndefined();
  await end();
});

test('a later hook that fails is shown on a devcontainer that runs on', async () => {
  const gate = createGate();
  const { world, api, only, id, end } = await beginWithApp({
    arrange: ({ cli }) =>
      cli.onUp(APP, async (up) => {
        const container = up.createContainer();
        up.ready();
        await up.wait(gate);
        return up.failure('The postStartCommand failed.', {
          containerId: container.id,
          phase: 'postStartCommand',
          exitCode: 1,
        });
      }),
  });
  await api.recreate(id);
  await world.clock.settle();
  gate.open();
  await world.clock.settle();
  expect(await only()).toMatchObject({
    status: 'running',
    error: 'The postStartCommand failed.',
    degraded: [{ phase: 'postStartCommand', exitCode: 1 }],
    agent: { status: 'running' },
  });
  await end();
});

test.each(['recreate', 'remove'] as const)('a %s cancels the later hooks and waits for their end', async (command) => {
  const leaving = createGate();
  let tailed = 0;
  const { world, api, only, id, end } = await beginWithApp({
    arrange: ({ cli }) =>
      cli.onUp(APP, async (up) => {
        const container = up.createContainer();
        up.ready();
        if (tailed++ === 0) {
          // Ends only some time after it was told to.
          await up.wait(createGate()).catch(() => leaving.wait());
          up.request.signal.throwIfAborted();
        }
        return up.success(container.id);
      }),
  });
  await api.recreate(id);
  await world.clock.settle();
  expect(world.cli.running).toEqual(['/src/app']);
  const { container } = await only();

  const second = command === 'recreate' ? api.recreate(id).then(({ done }) => done) : api.remove(id);
  await world.clock.settle();
  expect(world.cli.upRequests).toHaveLength(1);
  expect(world.cli.upRequests[0]?.signal.aborted).toBe(true);
  expect(world.engine.containers().map((one) => one.id)).toContain(container?.id);

  leaving.open();
  await world.clock.settle();
  await second;
  expect(world.engine.containers().map((one) => one.id)).not.toContain(container?.id);
  if (command === 'recreate') {
    expect(await only()).toMatchObject({ status: 'running' });
    expect((await only()).error).toBeUndefined();
  } else expect((await api.list()).devcontainers).toEqual([]);
  await end();
});

test('later hooks that do not end hold up a recreate for at most 15 s', async () => {
  const leaving = createGate();
  let ups = 0;
  const { world, api, only, id, end } = await beginWithApp({
    arrange: ({ cli }) =>
      cli.onUp(APP, async (up) => {
        const container = up.createContainer();
        up.ready();
        if (ups++ === 0) await leaving.wait();
        return up.success(container.id);
      }),
  });
  await api.recreate(id);
  await world.clock.settle();
  const { done } = await api.recreate(id);
  await world.clock.run(14_999);
  expect(world.cli.upRequests).toHaveLength(1);
  await world.clock.run(1);
  expect(await done).toMatchObject({ status: 'succeeded' });
  expect(world.cli.upRequests).toHaveLength(2);
  expect(await only()).toMatchObject({ status: 'running' });
  leaving.open();
  await end();
});

test('a stop cancels the later hooks of an up and waits for their end', async () => {
  const leaving = createGate();
  const {
    world,
    api,
    only,
    id,
    containerId: _old,
    end,
  } = await beginWithApp({
    arrange: ({ cli }) =>
      cli.onUp(APP, async (up) => {
        const container = up.createContainer();
        up.ready();
        await up.wait(createGate()).catch(() => leaving.wait());
        up.request.signal.throwIfAborted();
        return up.success(container.id);
      }),
  });
  await api.recreate(id);
  await world.clock.settle();
  const { stopContainer: before } = world.engine.calls;
  const { done } = await api.stopDevcontainer(id);
  await world.clock.settle();
  expect(world.engine.calls.stopContainer).toBe(before);
  leaving.open();
  await world.clock.settle();
  expect(await done).toMatchObject({ status: 'succeeded' });
  expect(await only()).toMatchObject({ status: 'stopped' });
  expect((await only()).error).toBeUndefined();
  await end();
});

test('later hooks take no room from other ups', async () => {
  const beforeReady = createGate();
  const { world, api, end } = await begin({ maxUps: 1 }, ({ addWorkspace, cli }) => {
    for (const folder of ['/src/a', '/src/b']) {
      addWorkspace(folder);
      cli.onUp({ workspaceFolder: folder, configPath: `${folder}/${CONFIG}` }, async (up) => {
        const { id } = up.createContainer();
        await up.wait(beforeReady);
        up.ready();
        await up.wait(createGate());
        return up.success(id);
      });
    }
  });
  const a = await api.create({ workspaceFolder: '/src/a' });
  const b = await api.create({ workspaceFolder: '/src/b' });
  await world.clock.settle();
  expect(world.cli.running).toEqual(['/src/a']);
  beforeReady.open();
  await world.clock.settle();
  expect(world.cli.running).toEqual(['/src/a', '/src/b']);
  for (const { done } of [a, b]) expect(await done).toMatchObject({ status: 'succeeded' });
  await end();
});

test('a service without a bind mount is running as soon as a later hook begins, and can be stopped', async () => {
  const { world, api, only, end } = await begin({ labelSecret: 'secret' }, ({ addWorkspace, cli }) => {
    addWorkspace('/src/app', { config: { dockerComposeFile: 'compose.yml', service: 'app' } });
    cli.onUp(APP, async (up) => {
      const container = up.createContainer({ mounts: [] });
      up.ready();
      await up.wait(createGate());
      return up.success(container.id);
    });
  });
  const { done } = await api.create({ workspaceFolder: '/src/app' });
  await world.clock.run(1_000);
  expect(await done).toMatchObject({ status: 'succeeded' });
  const { id, status } = await only();
  expect(status).toBe('running');
  await api.stopDevcontainer(id);
  await world.clock.run(1_000);
  expect(await only()).toMatchObject({ status: 'stopped' });
  await end();
});
