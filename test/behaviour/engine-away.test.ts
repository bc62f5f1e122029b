import { expect, test } from 'vitest';
import { AgentContainersError } from '../../src/index.ts';
import { begin, beginWithApp, tell } from './support/story.ts';

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

test('an engine that goes is one line in the log, and one when it is back', async () => {
  const { world, containerId, end } = await beginWithApp();
  const before = world.logger.entries.length;
  const told = () =>
    world.logger.entries
      .slice(before)
      .filter(({ level }) => level !== 'debug')
      .map(({ level, message }) => `${level}: ${message}`);
  const lost = 'error: Connecting to the container engine failed: it is down. Start it again.';
  world.engine.goDown();
  await world.clock.run(5 * 60_000);
  expect(told()).toEqual([lost]);

  world.engine.comeBack();
  await world.clock.run(60_000);
  world.engine.addContainer({ name: 'new' });
  await world.clock.run(60_000);
  expect(told()).toEqual([lost, 'info: Listing containers works again.']);
  expect(world.subAgentLauncher.running(containerId)).toHaveLength(1);
  await end();
});

test('each time that an engine without any events goes, and comes back, is one line', async () => {
  const { world, end } = await begin();
  for (let outage = 1; outage <= 3; outage++) {
    world.engine.goDown();
    await world.clock.run(5 * 60_000);
    expect(world.logger.messages('error')).toHaveLength(outage);
    world.engine.comeBack();
    await world.clock.run(5 * 60_000);
    expect(world.logger.messages('info')).toHaveLength(outage);
  }
  expect(world.logger.messages('warn')).toEqual([]);
  await end();
});

test('an event stream that fails while listings work is tried ever more rarely, and told of once', async () => {
  const { world, api, end } = await beginWithApp();
  world.engine.failNext('events', broken(), 10_000);
  world.engine.cutEvents();
  const before = { ...world.engine.calls };
  await world.clock.run(10 * 60_000);
  // 30 s at the most between two tries, with jitter half of that.
  expect(world.engine.calls.events - before.events).toBeGreaterThanOrEqual(20);
  expect(world.engine.calls.events - before.events).toBeLessThanOrEqual(50);
  expect(world.engine.calls.listContainers - before.listContainers).toBeLessThanOrEqual(120);
  expect(world.logger.messages('warn')).toEqual([expect.stringContaining('The engine answered 500.')]);
  expect(world.logger.messages('error')).toEqual([]);
  expect((await api.list()).devcontainers).toMatchObject([{ status: 'running', agent: { status: 'running' } }]);
  await end();
});

test('an event stream that is not open yet does not make the safety net slower', async () => {
  const { world, api, end } = await beginWithApp({ arrange: ({ engine }) => void engine.hang('events') });
  expect(world.engine.openEventStreams).toBe(0);
  for (const name of ['one', 'two', 'three', 'four', 'five']) {
    world.engine.addContainer({ name });
    await world.clock.run(10_000);
    expect((await api.list()).containers.map((container) => container.name)).toContain(name);
  }
  expect(world.engine.openEventStreams).toBe(0);
  await end();
});

test('while nothing tells which containers there are, none is said to be stopped or removed', async () => {
  const first = await beginWithApp({ options: { manifest: [{ workspaceFolder: '/src/app' }] } });
  const { world, id, containerId } = first;
  await first.end();
  world.engine.goDown();
  const { api, end } = tell(world, { manifest: [{ workspaceFolder: '/src/app' }] });
  await api.start();
  expect(await api.get(id)).toMatchObject({ status: 'stopped' });
  const refused = {
    code: 'list-failed',
    message: 'Could not get containers',
    details: { detail: expect.stringContaining('Connecting to the container engine failed') },
  };
  await expect(api.stopDevcontainer(id)).rejects.toMatchObject(refused);
  await expect(api.restartDevcontainer(id)).rejects.toMatchObject(refused);
  await expect(api.remove(id)).rejects.toMatchObject(refused);

  world.engine.comeBack();
  await world.clock.run(60_000);
  expect(await api.get(id)).toMatchObject({ status: 'running', container: { id: containerId } });
  await api.remove(id);
  expect(world.engine.containers()).toEqual([]);
  await end();
});

test('a listing that is older than the event it follows is put right after a second of quiet', async () => {
  const { world, only, containerId, end } = await beginWithApp();
  const { listContainers } = world.engine;
  // As Docker does: it tells of the change, and its own listing shows it some milliseconds later.
  const old = await listContainers({ labels: [], signal: new AbortController().signal });
  let stale = 1;
  world.engine.listContainers = (query) => (stale-- > 0 ? Promise.resolve(old) : listContainers(query));
  world.engine.pause(containerId);
  await world.clock.run(20);
  expect(stale).toBe(0);
  await world.clock.run(979);
  expect(await only()).toMatchObject({ status: 'running' });
  await world.clock.run(1);
  expect(await only()).toMatchObject({ status: 'stopped' });
  await end();
});

test('an engine client that aborts its own listing has failed like any other, and is not asked without a pause', async () => {
  const { world, api, id, end } = await beginWithApp();
  world.engine.failNext('listContainers', new DOMException('its own time-out', 'AbortError'), 2);
  await expect(api.refresh()).rejects.toMatchObject({ code: 'list-failed' });
  await expect(api.list()).rejects.toMatchObject({ details: { detail: expect.stringContaining('own time-out') } });
  const before = world.engine.calls.listContainers;
  await world.clock.run(10_000);
  expect(world.engine.calls.listContainers - before).toBeLessThanOrEqual(2);
  await world.clock.run(10_000);
  expect(await api.list()).toMatchObject({ devcontainers: [{ id, status: 'running', agent: { status: 'running' } }] });
  expect(world.logger.messages('error')).toHaveLength(1);
  await end();
});
