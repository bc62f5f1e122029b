import { expect, test } from 'vitest';
import { AgentContainersError } from '../../src/index.ts';
import { createGate } from '../../src/testing/index.ts';
import { APP, beginWithApp } from './support/story.ts';

const BUILT = { dockerfile: 'Dockerfile' };
const DOCKERFILE = { config: { build: BUILT } };
const FAILED_BUILD = {
  outcome: 'error',
  message: 'Building the image failed: RUN false.',
  phase: 'build',
  exitCode: 1,
  outputTail: 'Step 2/2 : RUN false',
} as const;

test('while the new image is built the old container is used on, with its sub-agent', async () => {
  const gate = createGate();
  const { world, api, only, id, containerId, end } = await beginWithApp({
    workspace: DOCKERFILE,
    arrange: ({ cli }) =>
      cli.onBuild(APP, async ({ signal }) => {
        await gate.wait(signal);
        return { outcome: 'success', images: ['vsc-app'] };
      }),
  });
  const process = world.subAgentLauncher.running()[0];
  const { operation, done } = await api.recreate(id);
  await world.clock.run(30_000);
  expect(await api.operation(operation.id)).toMatchObject({ status: 'running', phase: 'build' });
  expect(await only()).toMatchObject({
    status: 'starting',
    container: { id: containerId },
    agent: { status: 'running' },
  });
  expect(world.subAgentLauncher.running()).toEqual([process]);
  expect(world.engine.container(containerId).running).toBe(true);
  expect(world.cli.calls.up).toBe(0);

  gate.open();
  await world.clock.settle();
  const { steps } = await done;
  expect(steps.map(({ name }) => name)).toEqual(['prepare', 'build', 'create']);
  expect(steps[1]?.endedAt).toBe((steps[1]?.startedAt ?? 0) + 30_000);
  expect((await only()).container?.id).not.toBe(containerId);
  expect(world.engine.containers()).toHaveLength(1);
  await end();
});

test('a build that fails leaves everything as it was: container, sub-agent, dirty, and a readable error', async () => {
  const { world, api, only, id, containerId, end } = await beginWithApp({
    workspace: DOCKERFILE,
    arrange: ({ cli }) => cli.onBuild(APP, () => FAILED_BUILD),
  });
  const process = world.subAgentLauncher.running()[0];
  world.configFiles.write('/src/app', APP.configPath, { build: BUILT, init: true });
  await world.clock.settle();
  const { done } = await api.recreate(id);
  await world.clock.settle();
  expect(await done).toMatchObject({ status: 'failed' });
  expect(await only()).toMatchObject({
    status: 'running',
    dirty: true,
    error: 'Building the image failed: RUN false. The earlier container was left as it is.',
    degraded: [{ phase: 'build', exitCode: 1, outputTail: 'Step 2/2 : RUN false' }],
    container: { id: containerId },
    agent: { status: 'running' },
  });
  expect(world.subAgentLauncher.running()).toEqual([process]);
  expect(world.engine.calls.stopContainer).toBe(0);
  await end();
});

test('when the new container does not come up the old one is started again, under its own name', async () => {
  const { world, api, only, id, containerId, end } = await beginWithApp({
    arrange: ({ cli, engine }) =>
      cli.onUp(APP, (up) => {
        const made = up.createContainer({ state: 'created' });
        expect(engine.container(containerId)).toMatchObject({
          running: false,
          name: expect.stringMatching(/^app-1-before-/),
        });
        expect(made.running).toBe(false);
        return up.failure('Creating the container failed: port 80 is taken.', {
          phase: 'create',
          containerId: made.id,
        });
      }),
  });
  world.configFiles.write('/src/app', APP.configPath, { image: 'other' });
  await world.clock.settle();
  const { done } = await api.recreate(id);
  await world.clock.settle();
  expect(await done).toMatchObject({ status: 'failed' });
  expect(await only()).toMatchObject({
    status: 'running',
    dirty: true,
    error: 'Creating the container failed: port 80 is taken. The earlier container runs again.',
    container: { id: containerId, name: 'app-1' },
    agent: { status: 'running' },
  });
  expect(world.engine.containers().map(({ id: each }) => each)).toEqual([containerId]);
  await end();
});

test('one that was stopped before is put back stopped', async () => {
  const { world, api, only, id, containerId, end } = await beginWithApp({
    container: { state: 'exited' },
    arrange: ({ cli }) => cli.onUp(APP, (up) => up.failure('It broke.', { phase: 'create' })),
  });
  await api.recreate(id);
  await world.clock.settle();
  expect(world.engine.container(containerId)).toMatchObject({ name: 'app-1', running: false });
  expect(await only()).toMatchObject({ status: 'error', container: { id: containerId } });
  await end();
});

test('a recreate that is cancelled by the close puts the old container back', async () => {
  const { world, api, id, containerId } = await beginWithApp({
    arrange: ({ cli }) =>
      cli.onUp(APP, async (up) => {
        up.createContainer();
        await up.wait(createGate());
        return up.success('never');
      }),
  });
  await api.recreate(id);
  await world.clock.settle();
  expect(world.engine.containers()).toHaveLength(2);
  await api.close();
  expect(world.engine.containers()).toMatchObject([{ id: containerId, name: 'app-1', running: true }]);
  world.assertNoLeaks();
});

test('an old container that cannot be brought back is said so, and tried again before the next up', async () => {
  const { world, api, only, id, containerId, end } = await beginWithApp({
    arrange: ({ cli, engine }) =>
      cli.onUp(APP, (up) => {
        engine.failNext('startContainer', new AgentContainersError('engine-request-failed', 'Starting failed: no.'));
        return up.failure('It broke.', { phase: 'create' });
      }),
  });
  await api.recreate(id);
  await world.clock.settle();
  expect((await only()).error).toContain('Starting failed: no.');
  expect(world.engine.container(containerId).running).toBe(false);
  world.cli.upCreatesContainer(APP);
  await api.startDevcontainer(id);
  await world.clock.settle();
  expect(await only()).toMatchObject({ status: 'running', container: { id: containerId } });
  await end();
});

test('an old container that cannot be removed stays as a candidate, and the recreate has succeeded', async () => {
  const { world, api, only, id, containerId, end } = await beginWithApp({
    arrange: ({ engine }) =>
      engine.failNext('removeContainer', new AgentContainersError('engine-request-failed', 'Removing failed: busy.')),
  });
  const { done } = await api.recreate(id);
  await world.clock.settle();
  expect(await done).toMatchObject({ status: 'succeeded' });
  expect(await only()).toMatchObject({ status: 'running', candidates: [{ containerId, reason: expect.any(String) }] });
  await end();
});

test('a hook that fails is no reason to bring the old container back', async () => {
  const { world, api, only, id, containerId, end } = await beginWithApp({
    arrange: ({ cli }) =>
      cli.onUp(APP, (up) =>
        up.failure('Running the postCreateCommand failed.', {
          containerId: up.createContainer().id,
          phase: 'postCreateCommand',
        }),
      ),
  });
  await api.recreate(id);
  await world.clock.settle();
  const now = await only();
  expect(now).toMatchObject({ status: 'running', degraded: [{ phase: 'postCreateCommand' }] });
  expect(now.container?.id).not.toBe(containerId);
  expect(world.engine.containers()).toHaveLength(1);
  await end();
});

test('the new container carries our signed labels, so that it is known as ours without any state', async () => {
  const { world, api, only, id, end } = await beginWithApp({ options: { labelSecret: 'secret' } });
  const { operation } = await api.recreate(id);
  await world.clock.settle();
  const { container, level } = await only();
  expect(level).toBe('managed');
  expect(container?.labels).toMatchObject({ 'agentcontainers.generation': operation.id });
  expect(world.cli.upRequests).toMatchObject([{ mode: 'make' }]);
  await end();
});

test('a start names the very container that is meant, so that another one with its labels is not taken for it', async () => {
  const { world, api, only, id, end } = await beginWithApp();
  await api.recreate(id);
  await world.clock.settle();
  const { container } = await only();
  // An image with a forged label: it mounts nothing.
  world.engine.addContainer({
    name: 'forged',
    labels: { 'devcontainer.local_folder': '/src/app', 'devcontainer.config_file': APP.configPath },
    mounts: [],
  });
  await world.clock.run(1_000);
  await api.stopDevcontainer(id);
  await world.clock.settle();
  await api.startDevcontainer(id);
  await world.clock.settle();
  const generation = container?.labels['agentcontainers.generation'];
  expect(world.cli.upRequests.at(-1)).toMatchObject({
    mode: 'find',
    labels: { 'agentcontainers.generation': generation },
  });
  expect(await only()).toMatchObject({ status: 'running', container: { id: container?.id } });
  await end();
});
