import { expect, test } from 'vitest';
import { AgentContainersError } from '../../src/index.ts';
import { createGate } from '../../src/testing/index.ts';
import { APP, begin, beginWithApp, COMPOSE, projectLabels } from './support/story.ts';

test('a delete ends the sub-agent, stops the container, removes it, deletes the record and drops the entry', async () => {
  const { world, api, only, id, containerId, end } = await beginWithApp();
  const stopping = world.engine.hang('stopContainer');
  const removing = world.engine.hang('removeContainer');
  const unregistering = world.subAgentClient.hang('delete');
  const removed = api.remove(id);

  await stopping.reached();
  expect(await only()).toMatchObject({ status: 'stopping' });
  expect(world.subAgentLauncher.running()).toEqual([]);
  expect(world.engine.container(containerId).running).toBe(true);
  stopping.open();

  await removing.reached();
  expect(await only()).toMatchObject({ status: 'deleting' });
  expect(world.engine.container(containerId).running).toBe(false);
  expect(world.subAgentClient.calls.delete).toBe(0);
  removing.open();

  await unregistering.reached();
  expect(world.engine.containers()).toEqual([]);
  expect(await only()).toMatchObject({ status: 'deleting' });
  let broadcast = 0;
  api.subscribe(() => broadcast++);
  unregistering.open();

  await removed;
  expect(world.subAgentClient.records).toEqual([]);
  expect((await api.list()).devcontainers).toEqual([]);
  expect(broadcast).toBeGreaterThan(0);
  await world.clock.settle();
  expect((await api.list()).containers).toEqual([]);
  await expect(api.get(id)).rejects.toMatchObject({ code: 'devcontainer-not-found' });
  await end();
  expect(world.watcher.directories).toEqual([]);
});

test.each([
  ['stopContainer', 'stop-failed', 'An error occurred stopping the container'],
  ['removeContainer', 'remove-failed', 'An error occurred removing the container'],
] as const)('when %s fails the delete fails with %s and can be tried again', async (call, code, message) => {
  const { world, api, only, id, end } = await beginWithApp();
  world.engine.failNext(call, new AgentContainersError('engine-request-failed', 'The engine answered 500.'));
  await expect(api.remove(id)).rejects.toMatchObject({
    code,
    message,
    details: { detail: 'The engine answered 500.' },
  });
  await world.clock.settle();
  expect(await only()).toMatchObject({ status: 'error', error: 'The engine answered 500.' });
  await api.remove(id);
  await world.clock.settle();
  expect((await api.list()).devcontainers).toEqual([]);
  expect(world.engine.containers()).toEqual([]);
  await end();
});

test('when the record cannot be deleted the delete fails, and a second one finishes it', async () => {
  const { world, api, only, id, end } = await beginWithApp();
  world.subAgentClient.failNext('delete', new AgentContainersError('control-plane-refused', 'Refused.'));
  await expect(api.remove(id)).rejects.toMatchObject({
    code: 'sub-agent-delete-failed',
    message: 'An error occurred deleting the agent',
  });
  expect(await only()).toMatchObject({ status: 'error', error: 'Refused.' });
  await api.remove(id);
  expect((await api.list()).devcontainers).toEqual([]);
  expect(world.subAgentClient.records).toEqual([]);
  await end();
});

test('a delete is refused while a job owns the entry, also while it is being deleted', async () => {
  const gate = createGate();
  const { world, api, id, end } = await beginWithApp({
    arrange: ({ cli }) =>
      cli.onUp(APP, async (up) => {
        await up.wait(gate);
        return up.success(up.createContainer().id);
      }),
  });
  const refused = {
    code: 'devcontainer-transitioning',
    message: 'Unable to delete transitioning devcontainer',
    details: { detail: expect.stringContaining('is currently starting') },
  };
  await api.recreate(id);
  await expect(api.remove(id)).rejects.toMatchObject(refused);
  gate.open();
  await world.clock.settle();

  const { removeContainer: before } = world.engine.calls;
  const removing = world.engine.hang('removeContainer');
  const removed = api.remove(id);
  await removing.reached();
  await expect(api.remove(id)).rejects.toMatchObject({ code: 'devcontainer-transitioning' });
  removing.open();
  await removed;
  expect(world.engine.calls.removeContainer).toBe(before + 1);
  await end();
});

test.each(['none', 'anonymous', 'named'] as const)(
  'anonymous volumes are removed only when asked: %s',
  async (volumes) => {
    const asked: boolean[] = [];
    const { world, api, id, end } = await beginWithApp({
      arrange: ({ engine }) => {
        const remove = engine.removeContainer;
        engine.removeContainer = (container, options) => {
          asked.push(options.volumes);
          return remove(container, options);
        };
      },
    });
    await api.remove(id, { volumes });
    expect(asked).toEqual([volumes !== 'none']);
    expect(world.engine.containers()).toEqual([]);
    await end();
  },
);

test('a delete of a compose configuration removes all of its project and its network, and nothing else', async () => {
  const { world, api, id, end } = await beginWithApp({
    workspace: { config: COMPOSE },
    container: { labels: projectLabels('app') },
    arrange: ({ engine }) => {
      engine.addContainer({ name: 'db', labels: projectLabels('db') });
      engine.addContainer({ name: 'old', labels: projectLabels('old'), state: 'exited' });
      engine.addContainer({ name: 'other', labels: { 'com.docker.compose.project': 'apple' } });
      engine.addNetwork('app_default', { 'com.docker.compose.project': 'app_devcontainer' });
      engine.addNetwork('apple_default', { 'com.docker.compose.project': 'apple' });
    },
  });
  await api.remove(id);
  expect(world.engine.containers().map(({ name }) => name)).toEqual(['other']);
  expect(world.engine.networks).toEqual(['apple_default']);
  await end();
});

test('an image that carries the label of a project makes no container of that project ours', async () => {
  const labels = { 'com.docker.compose.project': 'production' };
  const { world, api, id, end } = await beginWithApp({
    container: { labels },
    arrange: ({ engine }) => {
      engine.addContainer({ name: 'prod-db', labels });
      engine.addNetwork('production_default', labels);
    },
  });
  await api.remove(id, { volumes: 'anonymous' });
  expect(world.engine.containers().map(({ name, running }) => [name, running])).toEqual([['prod-db', true]]);
  expect(world.engine.networks).toEqual(['production_default']);
  await end();
});

test('an entry of the manifest stays, as stopped, and can be brought up again', async () => {
  const { world, api, only, id, end } = await beginWithApp({
    options: { manifest: [{ workspaceFolder: '/src/app' }] },
  });
  await api.remove(id);
  const left = await only();
  expect(left).toMatchObject({ id, status: 'stopped', dirty: false, subAgentId: null });
  expect(left.container).toBeUndefined();
  expect(world.subAgentClient.records).toEqual([]);
  const { done } = await api.startDevcontainer(id);
  await world.clock.settle();
  expect(await done).toMatchObject({ status: 'succeeded' });
  expect(await only()).toMatchObject({ id, status: 'running', agent: { status: 'running' } });
  await end();
});

test('a record whose making is answered only during the delete is deleted, too', async () => {
  const { world, api, id, end } = await beginWithApp({ container: { state: 'exited' } });
  const answer = world.subAgentClient.hang('create', { at: 'answer' });
  world.engine.start('app-1');
  await world.clock.run(20);
  expect(answer.waiting).toBe(1);
  expect(world.subAgentClient.records).toHaveLength(1);
  const removed = api.remove(id);
  await world.clock.settle();
  answer.open();
  await removed;
  expect(world.subAgentClient.records).toEqual([]);
  expect(world.engine.containers()).toEqual([]);
  await end();
});

test('a listing that began before a delete does not bring the entry back', async () => {
  const { world, api, id, end } = await beginWithApp();
  const gate = world.engine.hang('listContainers', { at: 'answer' });
  const refresh = api.refresh();
  await gate.reached();
  await api.remove(id);
  const seen: number[] = [];
  api.subscribe(({ devcontainers }) => seen.push(devcontainers.length));
  gate.open();
  await refresh;
  await world.clock.settle();
  expect((await api.list()).devcontainers).toEqual([]);
  expect(seen.filter((count) => count > 0)).toEqual([]);
  await end();
});

test('a delete of what is not there is refused', async () => {
  const { api, end } = await beginWithApp();
  await expect(api.remove('nothing')).rejects.toMatchObject({ code: 'devcontainer-not-found' });
  await end();
});

test('a delete takes the log along, and the folder can be brought up anew under the same id', async () => {
  const { world, api, only, id, end } = await beginWithApp();
  await api.remove(id);
  await expect(api.logs(id)[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: 'devcontainer-not-found' });
  const { done, operation } = await api.create({ workspaceFolder: '/src/app' });
  await world.clock.settle();
  expect(operation).toMatchObject({ devcontainerId: id, logOffset: 0 });
  expect(await done).toMatchObject({ status: 'succeeded' });
  expect(await only()).toMatchObject({ id, status: 'running', agent: { status: 'running' } });
  await end();
});

test.each(['running', 'exited'] as const)(
  'a delete stops and removes all containers that mount the folder, also one that is %s',
  async (state) => {
    const { world, api, id, end } = await beginWithApp();
    const second = world.engine.addContainer({ workspaceFolder: '/src/app', state, createdAt: 0 });
    const impostor = world.engine.addContainer({ workspaceFolder: '/src/app', mounts: [] });
    await world.clock.run(20);
    const stopped: string[] = [];
    world.engine.onContainerEnd((container, how) => {
      if (how === 'stopped') stopped.push(container.name);
    });
    await api.remove(id);
    await world.clock.run(1_000);
    expect(stopped).toEqual(state === 'running' ? ['app-1', second.name] : ['app-1']);
    // A label alone proves nothing: that one is neither ours to remove nor ours to run a sub-agent in.
    expect(world.engine.containers().map(({ name }) => name)).toEqual([impostor.name]);
    expect((await api.list()).devcontainers).toMatchObject([{ level: 'seen', container: { id: impostor.id } }]);
    expect(world.subAgentClient.records).toEqual([]);
    world.engine.remove(impostor.id);
    await world.clock.run(20);
    expect((await api.list()).devcontainers).toEqual([]);
    await end();
  },
);

test('a delete of which one container cannot be removed ends when the others are gone', async () => {
  const { world, api, only, id, containerId, end } = await beginWithApp({
    workspace: { config: COMPOSE },
    container: { labels: projectLabels('app') },
    arrange: ({ engine }) => void engine.addContainer({ name: 'db', labels: projectLabels('db') }),
  });
  const slow = createGate();
  const { removeContainer } = world.engine;
  world.engine.removeContainer = async (container, options) => {
    if (container === containerId) throw new AgentContainersError('engine-request-failed', 'The engine answered 500.');
    await slow.wait(options.signal);
    return removeContainer(container, options);
  };
  const refusal = api.remove(id).catch((error: unknown) => error);
  await slow.reached();
  await world.clock.settle();
  expect(await only()).toMatchObject({ status: 'deleting' });
  slow.open();
  expect(await refusal).toMatchObject({ code: 'remove-failed' });
  expect(world.engine.containers().map(({ name }) => name)).toEqual(['app-1']);
  await end();
});

test('what went wrong in a container is over with it, also where the entry stays', async () => {
  const options = { adopt: 'roots', roots: ['/src'], discovery: true } as const;
  const { world, api, only, end } = await begin(options, ({ addWorkspace, cli }) => {
    addWorkspace('/src/app');
    cli.onUp(APP, (up) =>
      up.failure('It failed.', { containerId: up.createContainer().id, phase: 'postCreateCommand' }),
    );
  });
  const { id } = await only();
  await api.startDevcontainer(id);
  await world.clock.run(1_000);
  expect(await only()).toMatchObject({ status: 'running', degraded: [{ phase: 'postCreateCommand' }] });
  await api.remove(id);
  world.cli.upCreatesContainer(APP);
  await api.startDevcontainer(id);
  await world.clock.run(1_000);
  const now = await only();
  expect(now).toMatchObject({ status: 'running' });
  expect(now.error).toBeUndefined();
  expect(now.degraded).toBeUndefined();
  await end();
});
