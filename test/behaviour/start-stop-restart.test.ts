import { expect, test } from 'vitest';
import { AgentContainersError } from '../../src/index.ts';
import { createGate } from '../../src/testing/index.ts';
import { beginWithApp, COMPOSE, projectLabels } from './support/story.ts';

test('a stop ends the sub-agent first, then the container', async () => {
  const { world, api, only, id, containerId, end } = await beginWithApp();
  const gate = world.engine.hang('stopContainer');
  const { operation, done } = await api.stopDevcontainer(id);
  await gate.reached();
  expect(await only()).toMatchObject({ status: 'stopping', operationId: operation.id });
  expect(world.subAgentLauncher.running()).toEqual([]);
  expect(world.subAgentLauncher.processes[0]?.stops).not.toEqual([]);
  expect(world.engine.container(containerId).running).toBe(true);
  gate.open();
  await world.clock.settle();
  expect(await done).toMatchObject({ kind: 'stop', status: 'succeeded' });
  expect(await only()).toMatchObject({ status: 'stopped', container: { id: containerId, state: 'exited' } });
  // Its record is kept for the next start.
  expect(world.subAgentClient.deleted).toEqual([]);
  await end();
});

test('a start brings the same container up again, with its sub-agent', async () => {
  const { world, api, only, id, containerId, end } = await beginWithApp({ container: { state: 'exited' } });
  const { done } = await api.startDevcontainer(id);
  await world.clock.settle();
  expect(await done).toMatchObject({ kind: 'start', status: 'succeeded' });
  expect(world.cli.upRequests).toMatchObject([{ mode: 'find' }]);
  expect(await only()).toMatchObject({
    status: 'running',
    container: { id: containerId },
    agent: { status: 'running' },
  });
  await end();
});

test('a restart stops and starts the container in one operation', async () => {
  const { world, api, only, id, containerId, end } = await beginWithApp();
  const seen: string[] = [];
  api.subscribe(({ devcontainers }) => {
    const status = devcontainers[0]?.status ?? '';
    if (seen.at(-1) !== status) seen.push(status);
  });
  const { done } = await api.restartDevcontainer(id);
  await world.clock.settle();
  expect(await done).toMatchObject({ kind: 'restart', status: 'succeeded' });
  expect(seen).toEqual(['stopping', 'starting', 'running']);
  expect(await only()).toMatchObject({ container: { id: containerId }, agent: { status: 'running' } });
  expect(world.subAgentLauncher.processes).toHaveLength(2);
  await end();
});

test('a stop of a compose configuration stops all of its project and nothing else', async () => {
  const { world, api, id, containerId, end } = await beginWithApp({
    workspace: { config: COMPOSE },
    container: { labels: projectLabels('app') },
    arrange: ({ engine }) => {
      engine.addContainer({ name: 'db', labels: projectLabels('db') });
      engine.addContainer({ name: 'other', labels: { 'com.docker.compose.project': 'apple' } });
      engine.addContainer({ name: 'plain' });
    },
  });
  const { done } = await api.stopDevcontainer(id);
  await world.clock.settle();
  expect(await done).toMatchObject({ status: 'succeeded' });
  const running = world.engine.containers().filter((container) => container.running);
  expect(running.map(({ name }) => name).sort()).toEqual(['other', 'plain']);
  expect(world.engine.container(containerId).running).toBe(false);
  await end();
});

test('a stop of what is stopped and a start of what runs have nothing to do', async () => {
  const { world, api, id, containerId, end } = await beginWithApp();
  const start = await api.startDevcontainer(id);
  expect(start).toMatchObject({ started: false, operation: { kind: 'start', status: 'succeeded' } });
  expect(await start.done).toEqual(start.operation);
  expect(await api.operation(start.operation.id)).toEqual(start.operation);
  world.engine.stop(containerId);
  await api.refresh();
  expect(await api.stopDevcontainer(id)).toMatchObject({ started: false, operation: { kind: 'stop' } });
  expect(world.cli.calls.up).toBe(0);
  expect(world.engine.calls.stopContainer).toBe(0);
  await end();
});

test('a stop that fails is an error of the devcontainer, and can be tried again', async () => {
  const { world, api, only, id, end } = await beginWithApp();
  world.engine.failNext('stopContainer', new AgentContainersError('engine-request-failed', 'The engine answered 500.'));
  const { done } = await api.stopDevcontainer(id);
  await world.clock.settle();
  expect(await done).toMatchObject({ status: 'failed', error: 'The engine answered 500.' });
  expect(await only()).toMatchObject({ status: 'error', error: 'The engine answered 500.' });
  const again = await api.stopDevcontainer(id);
  await world.clock.settle();
  expect(await again.done).toMatchObject({ status: 'succeeded' });
  expect(await only()).toMatchObject({ status: 'stopped' });
  expect((await only()).error).toBeUndefined();
  await end();
});

test('a stop that hangs is given up after its grace and a deadline', async () => {
  const { world, api, only, id, end } = await beginWithApp();
  world.engine.hang('stopContainer');
  const { done } = await api.stopDevcontainer(id);
  await world.clock.run(39_999);
  expect(await only()).toMatchObject({ status: 'stopping' });
  await world.clock.run(1);
  expect(await done).toMatchObject({ status: 'failed', error: expect.stringContaining('40 s') });
  expect(await only()).toMatchObject({ status: 'error' });
  await end();
});

test('a stop of a container that has vanished meanwhile succeeds', async () => {
  const { world, api, only, id, containerId, end } = await beginWithApp();
  const gate = world.engine.hang('stopContainer');
  const { done } = await api.stopDevcontainer(id);
  await gate.reached();
  world.engine.remove(containerId);
  gate.open();
  await world.clock.run(20);
  expect(await done).toMatchObject({ status: 'succeeded' });
  expect(await only()).toMatchObject({ status: 'stopped' });
  expect((await only()).container).toBeUndefined();
  await end();
});

test.each(['stopDevcontainer', 'restartDevcontainer', 'remove'] as const)(
  '%s waits for the end of the sub-agent before it stops the container',
  async (command) => {
    const { world, api, id, end } = await beginWithApp();
    const [process] = world.subAgentLauncher.running();
    if (!process) throw new Error('No sub-agent runs.');
    const ending = createGate();
    const { stop } = process;
    process.stop = async (graceMs) => {
      await ending.wait();
      await stop(graceMs);
    };
    const commanded = api[command](id);
    await world.clock.settle();
    expect(world.engine.calls.stopContainer).toBe(0);
    ending.open();
    await world.clock.settle();
    await commanded;
    expect(world.engine.calls.stopContainer).toBe(1);
    await end();
  },
);

test('a stop leaves containers alone with which only the label of an image is shared', async () => {
  const labels = { 'com.docker.compose.project': 'production' };
  const { world, api, id, containerId, end } = await beginWithApp({
    container: { labels },
    arrange: ({ engine }) => void engine.addContainer({ name: 'prod-db', labels }),
  });
  const { done } = await api.stopDevcontainer(id);
  await world.clock.settle();
  expect(await done).toMatchObject({ status: 'succeeded' });
  expect(world.engine.container(containerId).running).toBe(false);
  expect(world.engine.container('prod-db').running).toBe(true);
  await end();
});

test('a project of the same name in another folder is another project', async () => {
  const { world, api, id, end } = await beginWithApp({
    workspace: { config: COMPOSE },
    container: { labels: projectLabels('app') },
    arrange: ({ engine }) => {
      engine.addContainer({ name: 'db', labels: projectLabels('db') });
      engine.addContainer({ name: 'foreign', labels: projectLabels('db', { folder: '/other/app/.devcontainer' }) });
    },
  });
  const { done } = await api.stopDevcontainer(id);
  await world.clock.settle();
  expect(await done).toMatchObject({ status: 'succeeded' });
  expect(world.engine.container('db').running).toBe(false);
  expect(world.engine.container('foreign').running).toBe(true);
  await end();
});

test.each(['stopDevcontainer', 'restartDevcontainer', 'remove'] as const)(
  '%s of a project of which one container fails ends when the others have ended, too',
  async (command) => {
    const { world, api, only, id, containerId, end } = await beginWithApp({
      workspace: { config: COMPOSE },
      container: { labels: projectLabels('app') },
      arrange: ({ engine }) => void engine.addContainer({ name: 'db', labels: projectLabels('db') }),
    });
    const slow = createGate();
    const { stopContainer } = world.engine;
    world.engine.stopContainer = async (container, options) => {
      if (container === containerId)
        throw new AgentContainersError('engine-request-failed', 'The engine answered 500.');
      await slow.wait(options.signal);
      return stopContainer(container, options);
    };
    const commanded = Promise.resolve<unknown>(api[command](id)).catch((error: unknown) => error);
    await slow.reached();
    await world.clock.settle();
    expect(await only()).toMatchObject({ status: 'stopping' });
    await expect(api.recreate(id)).rejects.toMatchObject({ code: 'devcontainer-transitioning' });
    slow.open();
    await world.clock.settle();
    await commanded;
    expect(await only()).toMatchObject({ status: 'error', error: 'The engine answered 500.' });
    expect(world.engine.container('db').running).toBe(false);
    await end();
  },
);
