import { expect, test } from 'vitest';
import { AgentContainersError } from '../../src/index.ts';
import { createGate, createTestWorld } from '../../src/testing/index.ts';
import { begin, beginWithApp, hangAt, tell } from './support/story.ts';

const broken = (text = 'The engine answered 500.') => new AgentContainersError('engine-request-failed', text);

test('an engine event leads to a pass 20 ms later, and events in between share it', async () => {
  const { world, api, containerId, end } = await beginWithApp();
  const before = world.engine.calls.listContainers;
  world.engine.addContainer({ name: 'one' });
  world.engine.addContainer({ name: 'two' });
  await world.clock.advance(19);
  expect(world.engine.calls.listContainers).toBe(before);
  expect((await api.list()).containers).toHaveLength(1);
  await world.clock.advance(1);
  expect(world.engine.calls.listContainers).toBe(before + 1);
  expect((await api.list()).containers.map(({ id }) => id)).toContain(containerId);
  expect((await api.list()).containers).toHaveLength(3);
  await end();
});

test('while events come there is a pass every 60 s as a safety net', async () => {
  const { world, end } = await beginWithApp();
  await world.clock.run(60_000);
  const before = world.engine.calls.listContainers;
  await world.clock.run(10 * 60_000);
  const passes = world.engine.calls.listContainers - before;
  // One a minute; a stream that was silent for five minutes is opened anew: a pass, and two for what it tells again.
  expect(passes).toBeGreaterThanOrEqual(10);
  expect(passes).toBeLessThanOrEqual(16);
  await end();
});

test('a list request waits for the first pass', async () => {
  const world = createTestWorld();
  const { api, end } = tell(world);
  world.engine.addContainer({ name: 'one' });
  const gate = world.engine.hang('listContainers');
  const started = api.start();
  let answered = false;
  const list = api.list().finally(() => {
    answered = true;
  });
  await gate.reached();
  await world.clock.settle();
  expect(answered).toBe(false);
  gate.open();
  await started;
  expect((await list).containers).toHaveLength(1);
  await end();
});

test('a first pass that fails ends the wait, too, with the reason', async () => {
  const { api, world, end } = await begin({}, ({ engine }) => engine.failNext('listContainers', broken()));
  await expect(api.list()).rejects.toMatchObject({
    code: 'list-failed',
    message: 'Could not get containers',
    details: { detail: 'The engine answered 500.' },
  });
  await world.clock.run(10_000);
  expect((await api.list()).containers).toEqual([]);
  await end();
});

test('a pass that fails keeps what is known, and list requests fail until a pass succeeds', async () => {
  const { world, api, id, end } = await beginWithApp();
  world.engine.failNext('listContainers', broken(), 2);
  await expect(api.refresh()).rejects.toMatchObject({ code: 'list-failed' });
  await expect(api.list()).rejects.toMatchObject({ code: 'list-failed' });
  expect(await api.get(id)).toMatchObject({ status: 'running', agent: { status: 'running' } });
  await expect(api.refresh()).rejects.toMatchObject({ code: 'list-failed' });
  await api.refresh();
  expect((await api.list()).devcontainers).toMatchObject([{ id, status: 'running', agent: { status: 'running' } }]);
  expect(world.subAgentLauncher.processes).toHaveLength(1);
  await end();
});

test('a listing that hangs is given up after 15 s and erases nothing', async () => {
  const { world, api, id, end } = await beginWithApp();
  const gate = world.engine.hang('listContainers');
  const failure = api.refresh().catch((error: unknown) => error);
  await world.clock.run(14_999);
  expect((await api.list()).devcontainers).toHaveLength(1);
  await world.clock.run(1);
  expect(await failure).toMatchObject({ code: 'list-failed' });
  await expect(api.list()).rejects.toMatchObject({ details: { detail: expect.stringContaining('15 s') } });
  expect(await api.get(id)).toMatchObject({ status: 'running', agent: { status: 'running' } });
  gate.open();
  await api.refresh();
  expect(await api.list()).toMatchObject({ devcontainers: [{ id, status: 'running' }] });
  await end();
});

test('a refresh answers with a pass that began after it', async () => {
  const { world, api, end } = await beginWithApp();
  const gate = world.engine.hang('listContainers', { at: 'answer' });
  const first = api.refresh();
  await gate.reached();
  // Too late for the listing that is under way; its events say nothing.
  world.engine.freezeEvents();
  world.engine.addContainer({ name: 'late' });
  const before = world.engine.calls.listContainers;
  const second = api.refresh();
  const third = api.refresh();
  gate.open();
  await Promise.all([first, second, third]);
  expect((await api.list()).containers.map(({ name }) => name)).toContain('late');
  expect(world.engine.calls.listContainers).toBe(before + 1);
  await end();
});

test('an equal error is logged once, another one again, and the recovery once', async () => {
  const { world, api, end } = await beginWithApp();
  const refreshes = async (times: number): Promise<void> => {
    for (let time = 0; time < times; time++) await api.refresh().catch(() => {});
  };
  world.engine.failNext('listContainers', broken('One reason.'), 5);
  await refreshes(5);
  expect(world.logger.messages('error')).toEqual(['One reason.']);
  world.engine.failNext('listContainers', broken('Another reason.'), 3);
  await refreshes(3);
  expect(world.logger.messages('error')).toEqual(['One reason.', 'Another reason.']);
  await refreshes(5);
  expect(world.logger.messages('error')).toHaveLength(2);
  expect(world.logger.messages('info').filter((text) => text.includes('works again'))).toHaveLength(1);
  await end();
});

test('only what is new or changed is inspected', async () => {
  const { world, api, containerId, afterEvent, end } = await beginWithApp();
  const before = world.engine.calls.inspectContainer;
  for (let pass = 0; pass < 5; pass++) await api.refresh();
  expect(world.engine.calls.inspectContainer).toBe(before);
  world.engine.restart(containerId);
  await afterEvent();
  expect(world.engine.calls.inspectContainer).toBeGreaterThan(before);
  await end();
});

test('an idle daemon starts no command, neither in a container nor on this machine', async () => {
  const { world, end } = await beginWithApp();
  const count = (): object => ({
    exec: world.engine.calls.exec,
    archive: world.engine.calls.putArchive,
    cli: { ...world.cli.calls },
    launcher: { ...world.subAgentLauncher.calls },
    client: { ...world.subAgentClient.calls },
  });
  const before = count();
  await world.clock.run(60 * 60_000);
  expect(count()).toEqual(before);
  await end();
});

test('a listener that throws does not stop the others', async () => {
  const { world, api, afterEvent, end } = await beginWithApp();
  let told = 0;
  api.subscribe(() => {
    throw new Error('mine');
  });
  api.subscribe(() => told++);
  world.engine.addContainer();
  await afterEvent();
  expect(told).toBe(1);
  expect(world.logger.messages('error')).toEqual(['A listener threw; the others go on.']);
  await end();
});

test('a container that cannot be inspected is listed all the same, and so are the others', async () => {
  const { world, api, end } = await begin({ adopt: 'roots', roots: ['/src'] }, ({ addWorkspace, engine }) => {
    addWorkspace('/src/app');
    engine.addContainer({ workspaceFolder: '/src/app' });
    const sick = engine.addContainer({ workspaceFolder: '/other/sick' });
    const inspect = engine.inspectContainer;
    engine.inspectContainer = (id, signal) => (id === sick.id ? Promise.reject(broken()) : inspect(id, signal));
  });
  expect((await api.list()).devcontainers).toMatchObject([
    { workspaceFolder: '/other/sick', status: 'running', level: 'seen' },
    { workspaceFolder: '/src/app', status: 'running', agent: { status: 'running' } },
  ]);
  expect(world.logger.messages('error')).toEqual([]);
  await end();
});

test('a container whose inspection hangs delays the list once, by 5 s', async () => {
  const { world, api, containerId, afterEvent, end } = await beginWithApp({
    options: { adopt: 'roots', roots: ['/src'] },
  });
  const sick = world.engine.addContainer({ workspaceFolder: '/other/sick', name: 'sick' });
  const inspect = world.engine.inspectContainer;
  const hung = createGate();
  world.engine.inspectContainer = (id, signal) =>
    id === sick.id ? hung.wait(signal).then(() => inspect(id, signal)) : inspect(id, signal);
  await world.clock.run(5_020);
  expect((await api.list()).containers.map(({ name }) => name)).toEqual(['sick', 'app-1']);
  world.engine.stop(containerId);
  await afterEvent();
  expect((await api.list()).devcontainers).toMatchObject([{ status: 'running' }, { name: 'app', status: 'stopped' }]);
  await end();
});

test.each(['realDirectory', 'canonicalKey', 'watchDirectories', 'read'] as const)(
  'a folder where %s hangs delays the list once, by 5 s at the most',
  async (call) => {
    const { world, byName, containerId, afterEvent, end } = await beginWithApp();
    hangAt(world.configFiles, call, '/src/slow');
    world.engine.addContainer({ workspaceFolder: '/src/slow', name: 'slow' });
    world.cli.readsConfiguration('/src/slow');
    await world.clock.run(5_020);
    expect(await byName('app')).toMatchObject({ status: 'running', agent: { status: 'running' } });
    world.engine.stop(containerId);
    await afterEvent();
    expect(await byName('app')).toMatchObject({ status: 'stopped' });

    // Nor later on, whatever is looked at anew.
    await world.clock.run(10 * 60_000);
    world.engine.start(containerId);
    await afterEvent();
    expect(await byName('app')).toMatchObject({ status: 'running', agent: { status: 'running' } });
    expect(world.logger.messages('error')).toEqual([]);
    await end();
  },
);
