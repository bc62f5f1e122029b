import { describe, expect, test } from 'vitest';
import { AgentContainersError } from '../../src/index.ts';
import { createMemoryStorage } from '../../src/testing/index.ts';
import type { ScriptedUp, TestWorld } from '../../src/testing/index.ts';
import { APP, beginWithApp, tell } from './support/story.ts';

// The engine goes away in the midst of a job, and is there again later.

const OUTAGE = 10_000;
const COMPOSE = { config: { dockerComposeFile: 'compose.yml', service: 'app' } };
const HOOK_FAILED = 'Running the onCreateCommand failed: it exited with code 255. Correct it and recreate.';

/** As an engine that is killed and started again: what ran does not run any more. */
function comeBack({ engine }: TestWorld): void {
  engine.comeBack();
  for (const { id, running } of engine.containers()) if (running) engine.crash(id);
}

function copies({ engine }: TestWorld): readonly string[] {
  return engine.images.flatMap(({ id, labels }) => ('agentcontainers.backup' in labels ? id : []));
}

describe('a recreate during which the engine goes away', () => {
  test.each<[string, (world: TestWorld, up: ScriptedUp) => ReturnType<ScriptedUp['failure']>]>([
    ['before the new container is made', (_world, up) => up.failure('Creating the container failed: no engine.')],
    [
      'in a hook of the new container',
      (_world, up) => up.failure(HOOK_FAILED, { phase: 'onCreateCommand', containerId: up.createContainer().id }),
    ],
  ])('(%s) puts the old container back as soon as the engine is there again', async (_when, fail) => {
    const { world, api, only, id, containerId, end } = await beginWithApp();
    world.cli.onUp(APP, (up) => {
      const outcome = fail(world, up);
      world.engine.goDown();
      return outcome;
    });
    const { operation, done } = await api.recreate(id);
    await world.clock.run(OUTAGE);
    expect(await api.operation(operation.id)).toMatchObject({ status: 'running' });
    comeBack(world);
    await world.clock.run(2 * OUTAGE);
    expect(await done).toMatchObject({ status: 'failed', error: expect.stringMatching(/engine.*runs again\.$/) });
    expect(world.engine.containers()).toMatchObject([{ id: containerId, name: 'app-1', running: true }]);
    expect(await only()).toMatchObject({ status: 'running', agent: { status: 'running' } });
    expect(world.subAgentLauncher.running()).toHaveLength(1);
    await end();
  });

  test('before the old container is out of the way starts it again', async () => {
    const { world, api, id, containerId, end } = await beginWithApp();
    const gate = world.engine.hang('stopContainer', { at: 'answer' });
    const { done } = await api.recreate(id);
    await gate.reached();
    world.engine.goDown();
    gate.open();
    await world.clock.run(OUTAGE);
    comeBack(world);
    await world.clock.run(2 * OUTAGE);
    expect(await done).toMatchObject({ status: 'failed', error: expect.stringMatching(/engine.*runs again\.$/) });
    expect(world.engine.containers()).toMatchObject([{ id: containerId, name: 'app-1', running: true }]);
    await end();
  });

  test('in the build leaves the old container running, when that outlives its engine, with its sub-agent', async () => {
    const { world, api, only, id, containerId, end } = await beginWithApp({
      workspace: { config: { build: { dockerfile: 'Dockerfile' } } },
    });
    world.cli.onBuild(APP, () => {
      world.engine.goDown();
      return { outcome: 'error', message: 'Building failed: no engine. Try again.', phase: 'build', outputTail: '' };
    });
    const { done } = await api.recreate(id);
    await world.clock.run(OUTAGE);
    // Nobody waits for an engine that may never come back.
    const { status, error } = await done;
    expect(status).toBe('failed');
    expect(await api.get(id)).toMatchObject({ status: 'error', error });
    world.engine.comeBack();
    await world.clock.run(2 * OUTAGE);
    expect(await only()).toMatchObject({
      status: 'running',
      error,
      degraded: [{ phase: 'build' }],
      container: { id: containerId },
      agent: { status: 'running' },
    });
    expect(world.subAgentLauncher.running()).toHaveLength(1);
    await end();
  });

  test('when the new container is ready removes the old one when the engine is there again', async () => {
    const { world, api, only, id, containerId, end } = await beginWithApp();
    world.cli.onUp(APP, (up) => {
      const made = up.createContainer();
      world.engine.goDown();
      return up.success(made.id);
    });
    const { done } = await api.recreate(id);
    await world.clock.run(OUTAGE);
    comeBack(world);
    await world.clock.run(2 * OUTAGE);
    expect(await done).toMatchObject({ status: 'succeeded' });
    expect(world.engine.containers().map((container) => container.id)).not.toContain(containerId);
    expect((await only()).candidates ?? []).toEqual([]);
    await end();
  });

  test('of a compose service makes it again from its copy, which goes with the container', async () => {
    const { world, api, only, id, containerId, end } = await beginWithApp({
      options: { labelSecret: 'secret' },
      workspace: COMPOSE,
    });
    world.cli.onUp(APP, (up) => {
      world.engine.goDown();
      return up.failure('Creating the container failed: no engine.');
    });
    await api.recreate(id);
    await world.clock.run(OUTAGE);
    comeBack(world);
    await world.clock.run(2 * OUTAGE);
    const now = await only();
    expect(now).toMatchObject({ status: 'running', container: { name: 'app-1' } });
    expect(now.container?.id).not.toBe(containerId);
    expect(world.engine.containers()).toHaveLength(1);
    expect(copies(world)).toHaveLength(1);

    await api.remove(id);
    expect(world.engine.containers()).toEqual([]);
    expect(copies(world)).toEqual([]);
    await end();
  });

  test('and the library is closed leaves a note of it, by which the next one puts the old container back', async () => {
    const storage = createMemoryStorage();
    const { world, api, id, containerId } = await beginWithApp({ options: { storage, labelSecret: 'secret' } });
    world.cli.onUp(APP, (up) => {
      world.engine.goDown();
      return up.failure('Creating the container failed: no engine.');
    });
    await api.recreate(id);
    await world.clock.run(OUTAGE);
    await api.close();
    world.assertNoLeaks();
    expect(world.logger.messages('error').join('\n')).not.toMatch(/cancelled/i);

    comeBack(world);
    const next = tell(world, { storage });
    await next.api.start();
    await world.clock.run(1_000);
    expect(world.engine.containers()).toMatchObject([{ id: containerId, name: 'app-1', running: true }]);
    await next.end();
  });

  test('and the library is closed when only the old container is to be removed leaves that to the next one', async () => {
    const storage = createMemoryStorage();
    const { world, api, id, containerId } = await beginWithApp({ options: { storage, labelSecret: 'secret' } });
    let made = '';
    world.cli.onUp(APP, (up) => {
      made = up.createContainer().id;
      world.engine.goDown();
      return up.success(made);
    });
    await api.recreate(id);
    await world.clock.run(OUTAGE);
    await api.close();
    world.assertNoLeaks();

    world.engine.comeBack();
    expect(world.engine.containers().map((container) => container.id)).toContain(containerId);
    const next = tell(world, { storage });
    await next.api.start();
    await world.clock.run(1_000);
    expect(world.engine.containers()).toMatchObject([{ id: made, running: true }]);
    await next.end();
  });
});

test('a recreate of a service that was made again from its copy leaves no copy behind', async () => {
  const { world, api, only, id, end } = await beginWithApp({
    options: { labelSecret: 'secret' },
    workspace: COMPOSE,
    arrange: ({ cli }) => cli.onUp(APP, (up) => up.failure('It broke.', { phase: 'create' })),
  });
  await api.recreate(id);
  await world.clock.settle();
  expect(copies(world)).toHaveLength(1);
  world.cli.upCreatesContainer(APP);
  await api.recreate(id);
  await world.clock.settle();
  expect(await only()).toMatchObject({ status: 'running' });
  expect(copies(world)).toEqual([]);
  await end();
});

test('a copy whose answer is lost is not left behind, and the old container is not touched', async () => {
  const { world, api, only, id, containerId, end } = await beginWithApp({
    options: { labelSecret: 'secret' },
    workspace: COMPOSE,
  });
  const { commitContainer } = world.engine;
  world.engine.commitContainer = async (...args) => {
    await commitContainer(...args);
    throw new AgentContainersError('engine-unreachable', 'Keeping it failed: the connection was closed.');
  };
  const { done } = await api.recreate(id);
  await world.clock.settle();
  expect(await done).toMatchObject({ status: 'failed', error: 'Keeping it failed: the connection was closed.' });
  expect(await only()).toMatchObject({ status: 'running', container: { id: containerId } });
  expect(world.engine.calls.stopContainer).toBe(0);
  expect(copies(world)).toEqual([]);
  await end();
});

test('a copy of another devcontainer stays when this one is removed', async () => {
  const { world, api, id, end } = await beginWithApp({ options: { labelSecret: 'secret' }, workspace: COMPOSE });
  world.addWorkspace('/src/other');
  const other = world.engine.addContainer({ workspaceFolder: '/src/other', name: 'other-1' });
  world.cli.onUp(APP, (up) => up.failure('It broke.', { phase: 'create' }));
  await api.recreate(id);
  await world.clock.settle();
  const [copy] = world.engine.images.filter(({ labels }) => 'agentcontainers.backup' in labels);
  const labels = { 'agentcontainers.backup': copy?.labels['agentcontainers.backup'] ?? '' };
  const image = await world.engine.commitContainer(other.id, { labels }, new AbortController().signal);
  await api.remove(id);
  expect(copies(world)).toEqual([image]);
  await end();
});

test('a start during which the engine goes away names the engine, and not the hook that it was at', async () => {
  const { world, api, only, id, end } = await beginWithApp({ container: { state: 'exited' } });
  world.cli.onUp(APP, (up) => {
    const { id: containerId } = up.createContainer();
    world.engine.goDown();
    return up.failure(HOOK_FAILED, { phase: 'postStartCommand', containerId });
  });
  const { done } = await api.startDevcontainer(id);
  await world.clock.run(OUTAGE);
  const { status, error } = await done;
  expect(status).toBe('failed');
  expect(error).toMatch(/engine failed: it is down/);
  expect(error).not.toContain('onCreateCommand');
  comeBack(world);
  await world.clock.run(2 * OUTAGE);
  expect(await only()).toMatchObject({ status: 'error', error });

  world.cli.upCreatesContainer(APP);
  await api.startDevcontainer(id);
  await world.clock.settle();
  const now = await only();
  expect(now).toMatchObject({ status: 'running', agent: { status: 'running' } });
  expect(now.error).toBeUndefined();
  await end();
});

test('what else keeps the old container from coming back is not tried for ever', async () => {
  const { world, api, id, end } = await beginWithApp();
  world.cli.onUp(APP, (up) => {
    const refused = new AgentContainersError('engine-conflict', 'Renaming failed: the name is taken.');
    world.engine.failNext('renameContainer', refused, 100);
    return up.failure('It broke.', { phase: 'create' });
  });
  const { done } = await api.recreate(id);
  await world.clock.settle();
  expect(await done).toMatchObject({
    status: 'failed',
    error: 'It broke. Renaming failed: the name is taken.',
  });
  await end();
});
