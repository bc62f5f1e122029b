import { expect, test } from 'vitest';
import { AgentContainersError } from '../../src/index.ts';
import { beginWithApp } from './support/story.ts';

const broken = () => new AgentContainersError('engine-request-failed', 'The engine answered 500.');

test('without events a change is found by the next tick of 10 s', async () => {
  const { world, api, end } = await beginWithApp({
    arrange: ({ engine }) => engine.failNext('events', broken(), 10_000),
  });
  // The back-off of the stream has grown longer than the tick by now.
  await world.clock.run(5 * 60_000);
  expect(world.engine.openEventStreams).toBe(0);
  for (const name of ['one', 'two', 'three']) {
    world.engine.addContainer({ name });
    await world.clock.run(10_000);
    expect((await api.list()).containers.map((container) => container.name)).toContain(name);
  }
  await end();
});

test('an engine that goes and comes back is followed again without a restart', async () => {
  const { world, api, only, containerId, end } = await beginWithApp();
  world.engine.goDown();
  await world.clock.run(10 * 60_000);
  await expect(api.list()).rejects.toMatchObject({ code: 'list-failed' });
  expect(world.engine.openEventStreams).toBe(0);

  // The engine stopped everything when it went.
  world.engine.comeBack();
  world.engine.crash(containerId);
  world.engine.start(containerId);
  await world.clock.run(30_000);
  expect(await only()).toMatchObject({ status: 'running', agent: { status: 'running' } });
  expect(world.engine.openEventStreams).toBe(1);
  expect(world.subAgentLauncher.running(containerId)).toHaveLength(1);

  // And events are followed as before.
  world.engine.addContainer({ name: 'new' });
  await world.clock.run(20);
  expect((await api.list()).containers).toHaveLength(2);
  await end();
});

test('what happened while the event stream was cut is seen when it is open again', async () => {
  const { world, api, containerId, end } = await beginWithApp();
  world.engine.cutEvents();
  world.engine.stop(containerId);
  world.engine.addContainer({ name: 'new' });
  await world.clock.run(500);
  expect(await api.list()).toMatchObject({
    devcontainers: [{ status: 'stopped' }],
    containers: [{ name: 'new' }, { name: 'app-1' }],
  });
  await end();
});

test('events that are lost are made good for by the safety net', async () => {
  const { world, api, id, containerId, end } = await beginWithApp();
  world.engine.freezeEvents();
  world.engine.restart(containerId);
  await world.clock.run(60_000);
  expect(world.subAgentLauncher.running(containerId)).toHaveLength(1);
  world.engine.remove(containerId);
  await world.clock.run(60_000);
  expect(await api.get(id)).toMatchObject({ status: 'stopped' });
  await end();
});

test('events that are told twice, or late, change nothing', async () => {
  const { world, only, containerId, end } = await beginWithApp();
  const { container, agent } = await only();
  // A stream that ends is opened anew from a little earlier, so that the latest events come a second time.
  for (let time = 0; time < 3; time++) {
    world.engine.cutEvents();
    await world.clock.run(1_000);
  }
  expect(await only()).toMatchObject({ status: 'running', container, agent });
  expect(world.subAgentLauncher.processes.map(({ request }) => request.containerId)).toEqual([containerId]);
  await end();
});

test('an old listing that arrives late does not undo what happened since', async () => {
  const { world, api, only, id, end } = await beginWithApp();
  const gate = world.engine.hang('listContainers', { at: 'answer' });
  const refresh = api.refresh();
  await gate.reached();
  const { done } = await api.stopDevcontainer(id);
  await world.clock.settle();
  const seen: string[] = [];
  api.subscribe(({ devcontainers }) => seen.push(devcontainers[0]?.status ?? ''));
  gate.open();
  await refresh;
  await world.clock.settle();
  expect(await done).toMatchObject({ status: 'succeeded' });
  expect(await only()).toMatchObject({ status: 'stopped', container: { state: 'exited' } });
  expect(new Set(seen)).toEqual(new Set(['stopped']));
  await end();
});
