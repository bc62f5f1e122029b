import { expect, test } from 'vitest';
import { AgentContainersError } from '../../src/index.ts';
import { createGate } from '../../src/testing/index.ts';
import type { TestWorld } from '../../src/testing/index.ts';
import { APP, begin, beginWithApp, CONFIG } from './support/story.ts';

test('a recreate is accepted at once, takes the entry over and goes on by itself', async () => {
  const gate = createGate();
  const { world, api, only, id, containerId, end } = await beginWithApp({
    arrange: ({ cli }) =>
      cli.onUp(APP, async (up) => {
        up.progress('build', 'Building');
        await up.wait(gate);
        return up.success(up.createContainer({ name: 'app-2' }).id);
      }),
  });
  const { operation, started } = await api.recreate(id);
  expect(started).toBe(true);
  expect(operation).toMatchObject({ devcontainerId: id, kind: 'recreate', status: 'running' });
  const during = await only();
  expect(during).toMatchObject({ status: 'starting', operationId: operation.id, container: { id: containerId } });
  await world.clock.settle();
  expect((await only()).container).toBeUndefined();
  expect(await api.operation(operation.id)).toMatchObject({ status: 'running', phase: 'build' });
  expect(world.cli.upRequests).toMatchObject([{ mode: 'make' }]);
  expect(world.subAgentLauncher.running()).toEqual([]);

  // Nobody waits for it any more; it ends all the same.
  gate.open();
  await world.clock.settle();
  expect(await api.operation(operation.id)).toMatchObject({ status: 'succeeded', phase: 'running' });
  const after = await only();
  expect(after).toMatchObject({ id, status: 'running', container: { name: 'app-2' }, agent: { status: 'running' } });
  expect(world.engine.containers().map(({ id: each }) => each)).not.toContain(containerId);
  expect(world.subAgentLauncher.running()).toHaveLength(1);
  await end();
});

test('a recreate can be asked for by container id, by its beginning, and by name', async () => {
  const { world, api, only, id, end } = await beginWithApp();
  for (const named of [(c: string) => c, (c: string) => c.slice(0, 12), () => 'app-1']) {
    const { container } = await only();
    const { done, operation } = await api.recreateByContainer(named(container?.id ?? ''));
    expect(operation.devcontainerId).toBe(id);
    await world.clock.settle();
    expect(await done).toMatchObject({ status: 'succeeded' });
    world.cli.upCreatesContainer(APP, { name: 'app-1' });
  }
  await end();
});

test('a recreate of what is not there, of a plain container, or of one under way is refused', async () => {
  const gate = createGate();
  const { world, api, id, containerId, end } = await beginWithApp({
    arrange: ({ cli, engine }) => {
      engine.addContainer({ name: 'db' });
      cli.onUp(APP, async (up) => {
        await up.wait(gate);
        return up.success(up.createContainer().id);
      });
    },
  });
  await expect(api.recreate('nothing')).rejects.toMatchObject({ code: 'devcontainer-not-found' });
  await expect(api.recreateByContainer('nothing')).rejects.toMatchObject({ code: 'container-not-found' });
  await expect(api.recreateByContainer('db')).rejects.toMatchObject({ code: 'workspace-folder-label-missing' });
  const { done } = await api.recreate(id);
  await expect(api.recreate(id)).rejects.toMatchObject({ code: 'devcontainer-transitioning' });
  await expect(api.recreateByContainer(containerId)).rejects.toMatchObject({ code: 'recreation-in-progress' });
  gate.open();
  await world.clock.settle();
  expect(await done).toMatchObject({ status: 'succeeded' });
  expect(world.cli.calls.up).toBe(1);
  await end();
});

test('a hook that fails leaves the devcontainer running, degraded and injected', async () => {
  const { world, api, only, id, end } = await beginWithApp({
    arrange: ({ cli }) =>
      cli.onUp(APP, (up) => {
        const container = up.createContainer();
        return up.failure('The postCreateCommand failed with exit code 3.', {
          containerId: container.id,
          phase: 'postCreateCommand',
          command: 'make setup',
          exitCode: 3,
          outputTail: 'make: no rule',
        });
      }),
  });
  const { done } = await api.recreate(id);
  await world.clock.settle();
  expect(await done).toMatchObject({ status: 'failed', error: 'The postCreateCommand failed with exit code 3.' });
  expect(await only()).toMatchObject({
    status: 'running',
    dirty: false,
    error: 'The postCreateCommand failed with exit code 3.',
    degraded: [{ phase: 'postCreateCommand', command: 'make setup', exitCode: 3, outputTail: 'make: no rule' }],
    agent: { status: 'running' },
  });

  // Passes do not wash the error away; the next recreate does.
  await api.refresh();
  expect((await only()).error).toBeDefined();
  world.cli.upCreatesContainer(APP);
  await api.recreate(id);
  expect((await only()).error).toBeUndefined();
  await world.clock.settle();
  expect((await only()).degraded).toBeUndefined();
  await end();
});

test('a build that fails shows as an error until a newer container is seen', async () => {
  const { world, api, only, afterEvent, end } = await begin({}, ({ addWorkspace, cli }) => {
    addWorkspace('/src/app');
    cli.onUp(APP, (up) => up.failure('The build failed.', { phase: 'build', exitCode: 1 }));
  });
  const { done } = await api.create({ workspaceFolder: '/src/app' });
  await world.clock.settle();
  expect(await done).toMatchObject({ status: 'failed', error: 'The build failed.' });
  await world.clock.run(70_000);
  expect(await only()).toMatchObject({ status: 'error', error: 'The build failed.', dirty: false });

  world.engine.addContainer({ workspaceFolder: '/src/app' });
  await afterEvent();
  const seen = await only();
  expect(seen).toMatchObject({ status: 'running', agent: { status: 'running' } });
  expect(seen.error).toBeUndefined();
  await end();
});

test('a CLI that is missing is an error of that devcontainer with the reason', async () => {
  const { world, api, only, end } = await begin({}, ({ addWorkspace, cli }) => {
    addWorkspace('/src/app');
    cli.failNext('up', new AgentContainersError('cli-missing', 'Running the CLI failed: it is not installed.'));
  });
  const { done } = await api.create({ workspaceFolder: '/src/app' });
  await world.clock.settle();
  expect(await done).toMatchObject({ status: 'failed', error: 'Running the CLI failed: it is not installed.' });
  expect(await only()).toMatchObject({ status: 'error', error: 'Running the CLI failed: it is not installed.' });

  // A person tries again.
  const again = await api.startDevcontainer((await only()).id);
  await world.clock.settle();
  expect(await again.done).toMatchObject({ status: 'succeeded' });
  expect(await only()).toMatchObject({ status: 'running' });
  await end();
});

test('a recreate while a sub-agent is being injected drops that injection without an error', async () => {
  const { world, api, only, id, containerId, end } = await beginWithApp({
    arrange: ({ subAgentLauncher }) => void subAgentLauncher.hang('deliver'),
  });
  expect(await only()).toMatchObject({ agent: { status: 'starting' } });
  const gate = world.subAgentLauncher.hang('deliver');
  gate.open();
  const { done } = await api.recreate(id);
  await world.clock.settle();
  expect(await done).toMatchObject({ status: 'succeeded' });
  expect(await only()).toMatchObject({ status: 'running', agent: { status: 'running' } });
  expect((await only()).error).toBeUndefined();
  expect(world.subAgentLauncher.processes.map(({ request }) => request.containerId)).not.toContain(containerId);
  expect(world.logger.messages('warn')).toEqual([]);
  await end();
});

test('a create whose configuration vanishes before it begins is an error that says so', async () => {
  const { world, api, only, end } = await begin({}, ({ addWorkspace }) => addWorkspace('/src/app'));
  const { done } = await api.create({ workspaceFolder: '/src/app' });
  world.configFiles.remove('/src/app', CONFIG);
  await world.clock.settle();
  expect(await done).toMatchObject({ status: 'failed', error: expect.stringContaining('there is no file') });
  expect(await only()).toMatchObject({ status: 'error', error: expect.stringContaining('there is no file') });
  expect(world.cli.calls.up).toBe(0);
  await end();
});

test('a beginning of an id that several containers have is refused, and nothing is recreated', async () => {
  const { world, api, end } = await begin({}, ({ addWorkspace, engine }) => {
    for (const name of ['a', 'b']) {
      addWorkspace(`/src/${name}`);
      engine.addContainer({ workspaceFolder: `/src/${name}`, name, id: `abcd${name}`.padEnd(64, '0') });
    }
  });
  await expect(api.recreateByContainer('abcd')).rejects.toMatchObject({
    code: 'devcontainer-ambiguous',
    details: { detail: expect.stringMatching(/abcd begins the ids of (a, b|b, a)/) },
  });
  expect(world.cli.calls.up).toBe(0);
  const { done } = await api.recreateByContainer('abcdb');
  await world.clock.settle();
  expect(await done).toMatchObject({ status: 'succeeded' });
  expect(world.cli.upRequests.map(({ key }) => key.workspaceFolder)).toEqual(['/src/b']);
  await end();
});

/** What a client throws that has given up by itself. */
const aborted = () => new DOMException('its own time-out', 'AbortError');

test.each([
  [
    'the CLI',
    ({ cli }: TestWorld) => void (cli.up = () => ({ ready: Promise.resolve(false), done: Promise.reject(aborted()) })),
  ],
  ['the configuration', ({ configFiles }: TestWorld) => configFiles.failNext('read', aborted())],
])('an up for which %s aborts something of its own has failed, and was not cancelled', async (_who, abort) => {
  const { world, api, only, id, end } = await beginWithApp();
  abort(world);
  const { done } = await api.recreate(id);
  await world.clock.settle();
  expect(await done).toMatchObject({ status: 'failed', error: expect.stringContaining('own time-out') });
  expect(await only()).toMatchObject({ status: 'running', error: expect.stringContaining('own time-out') });
  await end();
});
