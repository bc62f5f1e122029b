import { expect, test } from 'vitest';
import { AgentContainersError } from '../../src/index.ts';
import { createGate } from '../../src/testing/index.ts';
import { begin, beginWithApp } from './support/story.ts';

test('a sub-agent that crashes comes back at once, then after 1, 2, 4, … 60 s', async () => {
  const { world, only, end } = await beginWithApp();
  const waits: number[] = [];
  for (let crash = 0; crash < 10; crash++) {
    world.subAgentLauncher.running()[0]?.crash('last words');
    const at = world.clock.now();
    await world.clock.settle();
    for (let step = 0; world.subAgentLauncher.running().length === 0; step++) {
      expect(step).toBeLessThan(50);
      expect(await only()).toMatchObject({ status: 'running', agent: { status: 'exited' } });
      await world.clock.advanceToNext();
    }
    waits.push(world.clock.now() - at);
  }
  expect(waits).toEqual([0, 1, 2, 4, 8, 16, 32, 60, 60, 60].map((seconds) => seconds * 1_000));
  expect(await only()).toMatchObject({ agent: { status: 'running' } });
  expect(world.subAgentClient.calls.create).toBe(1);

  // After a minute of health it counts as the first time again.
  await world.clock.run(60_000);
  world.subAgentLauncher.running()[0]?.crash();
  await world.clock.settle();
  expect(world.subAgentLauncher.running()).toHaveLength(1);
  await end();
});

test('an end of the sub-agent is shown with its reason', async () => {
  const { world, only, end } = await beginWithApp();
  world.subAgentLauncher.running()[0]?.crash();
  await world.clock.settle();
  world.subAgentLauncher.running()[0]?.exit({ reason: 'oom', exitCode: 137, message: 'Out of memory.' });
  await world.clock.settle();
  expect(await only()).toMatchObject({
    status: 'running',
    agent: { status: 'exited', reason: 'Out of memory.' },
    error: 'Out of memory.',
  });
  await world.clock.run(1_000);
  expect((await only()).error).toBeUndefined();
  await end();
});

test('an injection that fails is shown and tried again, ever more rarely', async () => {
  const { world, only, end } = await beginWithApp({
    arrange: ({ subAgentLauncher }) =>
      subAgentLauncher.failNext('deliver', new AgentContainersError('sub-agent-delivery-failed', 'No room.'), 3),
  });
  expect(await only()).toMatchObject({ status: 'running', error: 'No room.', agent: { status: 'failed' } });
  // One second has passed since the first, so the second failed, too.
  expect(world.subAgentLauncher.calls.deliver).toBe(2);
  await world.clock.run(2_000);
  expect(world.subAgentLauncher.calls.deliver).toBe(3);
  await world.clock.run(3_999);
  expect(world.subAgentLauncher.calls.deliver).toBe(3);
  await world.clock.run(1);
  expect(world.subAgentLauncher.calls.deliver).toBe(4);
  expect(await only()).toMatchObject({ agent: { status: 'running' } });
  expect((await only()).error).toBeUndefined();
  await end();
});

test('a container that restarts, or is replaced, is injected anew within one event', async () => {
  const { world, only, containerId, afterEvent, end } = await beginWithApp();
  world.engine.restart(containerId);
  await afterEvent();
  expect(world.subAgentLauncher.running(containerId)).toHaveLength(1);
  expect(world.subAgentLauncher.processes).toHaveLength(2);

  world.engine.remove(containerId);
  const next = world.engine.addContainer({ workspaceFolder: '/src/app' });
  await afterEvent();
  expect(world.subAgentLauncher.running().map(({ request }) => request.containerId)).toEqual([next.id]);
  expect(await only()).toMatchObject({ agent: { status: 'running' } });
  await end();
});

test('a container that stops ends its sub-agent, and nothing is tried while it is down', async () => {
  const { world, only, containerId, end } = await beginWithApp();
  world.engine.stop(containerId);
  await world.clock.run(10 * 60_000);
  expect((await only()).agent).toBeUndefined();
  expect((await only()).error).toBeUndefined();
  expect(world.subAgentLauncher.calls.deliver).toBe(1);
  await end();
});

test('an injection that hangs is given up after 15 s', async () => {
  const { world, only, end } = await begin({}, ({ addWorkspace, engine, subAgentLauncher }) => {
    addWorkspace('/src/app');
    engine.addContainer({ workspaceFolder: '/src/app' });
    subAgentLauncher.hang('deliver');
  });
  await world.clock.run(14_999);
  expect(await only()).toMatchObject({ agent: { status: 'starting' } });
  await world.clock.run(1);
  expect(await only()).toMatchObject({
    agent: { status: 'failed', reason: 'Injecting the sub-agent failed: no answer within 15 s.' },
  });
  await end();
});

test('a limited number of injections runs at the same time, and waiting does not count as hanging', async () => {
  const { world, api, end } = await begin({ maxInjections: 2 }, ({ addWorkspace, engine, subAgentLauncher }) => {
    for (const name of ['a', 'b', 'c', 'd', 'e']) {
      addWorkspace(`/src/${name}`);
      engine.addContainer({ workspaceFolder: `/src/${name}` });
    }
    subAgentLauncher.hang('deliver');
  });
  expect(world.subAgentLauncher.calls.deliver).toBe(2);
  await world.clock.run(14_000);
  expect(world.subAgentLauncher.calls.deliver).toBe(2);
  const open = world.subAgentLauncher.hang('deliver');
  open.open();
  await world.clock.run(1_000);
  // The two that hung gave way to the three that waited.
  const status = (await api.list()).devcontainers.map(({ agent }) => agent?.status);
  expect(status.filter((one) => one === 'running')).toHaveLength(3);
  expect(status.filter((one) => one === 'failed')).toHaveLength(2);
  await world.clock.run(1_000);
  expect(world.subAgentLauncher.running()).toHaveLength(5);
  await end();
});

test('one injection that hangs holds up neither the others nor the list nor later events', async () => {
  const gate = createGate();
  const { world, api, byName, afterEvent, end } = await begin({}, ({ addWorkspace, engine, subAgentLauncher }) => {
    for (const name of ['a', 'b']) {
      addWorkspace(`/src/${name}`);
      engine.addContainer({ workspaceFolder: `/src/${name}`, name });
    }
    subAgentLauncher.onDeliver(async ({ containerId, signal }) => {
      if (containerId === engine.container('a').id) await gate.wait(signal);
      return { path: '/agent', way: 'archive' };
    });
  });
  expect(await byName('a')).toMatchObject({ agent: { status: 'starting' } });
  expect(await byName('b')).toMatchObject({ agent: { status: 'running' } });
  world.addWorkspace('/src/c');
  world.engine.addContainer({ workspaceFolder: '/src/c' });
  world.engine.stop('b');
  await afterEvent();
  expect((await api.list()).devcontainers).toMatchObject([
    { name: 'a', agent: { status: 'starting' } },
    { name: 'b', status: 'stopped' },
    { name: 'c', agent: { status: 'running' } },
  ]);
  gate.open();
  await world.clock.settle();
  expect(await byName('a')).toMatchObject({ agent: { status: 'running' } });
  await end();
});

test('a refresh waits for the injections that its pass began, not for those that begin later', async () => {
  const gates = { a: createGate(), b: createGate() };
  const { world, api, byName, afterEvent, end } = await begin({}, ({ addWorkspace, engine, subAgentLauncher }) => {
    for (const name of ['a', 'b'] as const) addWorkspace(`/src/${name}`);
    subAgentLauncher.onDeliver(async ({ containerId, signal }) => {
      await gates[engine.container(containerId).name as 'a' | 'b'].wait(signal);
      return { path: '/agent', way: 'archive' };
    });
  });
  world.engine.addContainer({ workspaceFolder: '/src/a', name: 'a' });
  let answered = false;
  const refresh = api.refresh().finally(() => {
    answered = true;
  });
  await world.clock.settle();
  world.engine.addContainer({ workspaceFolder: '/src/b', name: 'b' });
  await afterEvent();
  expect([gates.a.waiting, gates.b.waiting, answered]).toEqual([1, 1, false]);
  gates.a.open();
  await world.clock.settle();
  expect(answered).toBe(true);
  expect(await byName('a')).toMatchObject({ agent: { status: 'running' } });
  expect(await byName('b')).toMatchObject({ agent: { status: 'starting' } });
  await refresh;
  await end();
});

test('injections that hang again and again hold up a refresh for at most the deadline of one', async () => {
  const { world, api, end } = await begin({}, ({ addWorkspace, engine, subAgentLauncher }) => {
    for (const name of ['a', 'b', 'c']) addWorkspace(`/src/${name}`);
    engine.addContainer({ workspaceFolder: '/src/a' });
    subAgentLauncher.hang('deliver');
  });
  await world.clock.run(5_000);
  world.engine.addContainer({ workspaceFolder: '/src/b' });
  await world.clock.run(5_000);
  world.engine.addContainer({ workspaceFolder: '/src/c' });
  await world.clock.run(1_000);
  let answered = false;
  const refresh = api.refresh().finally(() => {
    answered = true;
  });
  await world.clock.run(15_000);
  expect(answered).toBe(true);
  await refresh;
  await end();
});

test.each(['create', 'deliver', 'readConfiguration'] as const)(
  'a client that aborts its own %s has failed, and is asked again ever more rarely',
  async (call) => {
    const aborted = new DOMException('its own time-out', 'AbortError');
    const { world, only, end } = await begin({}, ({ addWorkspace, cli, engine, subAgentClient, subAgentLauncher }) => {
      addWorkspace('/src/app');
      engine.addContainer({ workspaceFolder: '/src/app' });
      if (call === 'create') subAgentClient.failNext('create', aborted, 5);
      if (call === 'deliver') subAgentLauncher.failNext('deliver', aborted, 5);
      if (call === 'readConfiguration') cli.failNext('readConfiguration', aborted, 5);
    });
    const tries = () =>
      ({
        create: world.subAgentClient.calls.create,
        deliver: world.subAgentLauncher.calls.deliver,
        readConfiguration: world.cli.calls.readConfiguration,
      })[call];
    expect(tries()).toBe(1);
    expect(await only()).toMatchObject({
      agent: { status: 'failed', reason: expect.stringContaining('its own time-out') },
    });
    // After 1, 2, 4 and 8 s.
    await world.clock.run(14_999);
    expect(tries()).toBe(4);
    await world.clock.run(1);
    expect(tries()).toBe(5);
    await world.clock.run(16_000);
    expect(await only()).toMatchObject({ agent: { status: 'running' } });
    await end();
  },
);
