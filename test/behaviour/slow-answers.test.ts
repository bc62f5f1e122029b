import { expect, test } from 'vitest';
import { AgentContainersError } from '../../src/index.ts';
import { buildSubAgentBinary, createTestWorld } from '../../src/testing/index.ts';
import type { TestWorld } from '../../src/testing/index.ts';
import { begin, beginWithApp, CONFIG, hangAt, tell } from './support/story.ts';

const FOLDERS = ['/src/a', '/src/b'];

function addFolders({ addWorkspace, engine }: TestWorld): void {
  for (const folder of FOLDERS) {
    addWorkspace(folder);
    engine.addContainer({ workspaceFolder: folder, name: folder.slice(-1), state: 'exited' });
  }
}

test('an up whose configuration is not answered for fails after 15 s and gives way to the next', async () => {
  const { world, api, byName, end } = await begin({ maxUps: 1 }, addFolders);
  const [a, b] = [await byName('a'), await byName('b')];
  hangAt(world.configFiles, 'read', '/src/a');
  const first = await api.startDevcontainer(a.id);
  const second = await api.startDevcontainer(b.id);
  await world.clock.run(14_999);
  expect(world.cli.calls.up).toBe(0);
  expect(await byName('a')).toMatchObject({ status: 'starting' });
  await world.clock.run(1);
  const error = 'Reading /src/a/.devcontainer/devcontainer.json failed: no answer within 15 s.';
  expect(await first.done).toMatchObject({ status: 'failed', error });
  expect(await second.done).toMatchObject({ status: 'succeeded' });
  expect(await byName('a')).toMatchObject({ status: 'error', error });
  expect(await byName('b')).toMatchObject({ status: 'running', agent: { status: 'running' } });
  await end();
});

test('a close does not wait for a folder that does not answer', async () => {
  const { world, api, byName, end } = await begin({ maxUps: 1 }, addFolders);
  const [a, b] = [await byName('a'), await byName('b')];
  hangAt(world.configFiles, 'read', '/src/a');
  const first = await api.startDevcontainer(a.id);
  const second = await api.startDevcontainer(b.id);
  await world.clock.settle();
  await end();
  expect(await first.done).toMatchObject({ status: 'cancelled' });
  expect(await second.done).toMatchObject({ status: 'cancelled' });
});

test('folders of the manifest that do not answer hold up the start by 5 s at the most, together', async () => {
  const manifest = [{ workspaceFolder: '/dead/one' }, { workspaceFolder: '/dead/two' }, { workspaceFolder: '/src/b' }];
  const world = createTestWorld({ manifest });
  world.subAgentsSucceed();
  addFolders(world);
  hangAt(world.configFiles, 'canonicalKey', '/dead');
  const { api, byName, end } = tell(world);
  let started = false;
  const starting = api.start().then(() => (started = true));
  await world.clock.run(4_999);
  expect(started).toBe(false);
  await world.clock.run(1);
  expect(started).toBe(true);
  await starting;
  expect((await api.list()).devcontainers.map(({ name }) => name)).toEqual(['a', 'b']);
  expect(world.logger.messages('error')).toEqual([
    'Reading the manifest: Looking at /dead/one failed: no answer within 5 s.',
    'Reading the manifest: Looking at /dead/two failed: no answer within 5 s.',
  ]);
  const { done } = await api.startDevcontainer((await byName('b')).id);
  await world.clock.settle();
  expect(await done).toMatchObject({ status: 'succeeded' });
  await end();
});

test.each(['canonicalKey', 'realDirectory', 'read'] as const)(
  'a create of a folder where %s hangs is refused after 5 s',
  async (call) => {
    const { world, api, end } = await begin({}, ({ addWorkspace }) => addWorkspace('/src/slow'));
    hangAt(world.configFiles, call, '/src/slow');
    const refusal = api.create({ workspaceFolder: '/src/slow' }).catch((error: unknown) => error);
    await world.clock.run(5_000);
    expect(await refusal).toMatchObject({
      code: 'timeout',
      message: 'Reading the configuration of /src/slow failed: no answer within 5 s.',
    });
    expect((await api.list()).devcontainers).toEqual([]);
    expect(world.cli.calls.up).toBe(0);
    await end();
  },
);

test.each(['realDirectory', 'canonicalKey'] as const)(
  'a folder where %s hangs for a while keeps its devcontainer as it was known',
  async (call) => {
    const { world, api, only, id, containerId, end } = await beginWithApp({ workspace: { config: { image: 'a' } } });
    world.configFiles.write('/src/app', CONFIG, { image: 'b' });
    await world.clock.run(60_000);
    const before = await only();
    expect(before).toMatchObject({ id, status: 'running', dirty: true, agent: { status: 'running' } });
    const seen: string[] = [];
    api.subscribe(({ devcontainers }) => seen.push(devcontainers[0]?.status ?? 'gone'));
    const mount = hangAt(world.configFiles, call, '/src/app');
    // A stream that is opened anew may have missed anything: every claim is looked at again.
    world.engine.cutEvents();
    await world.clock.run(10 * 60_000);
    expect(await only()).toEqual(before);
    mount.comeBack();
    await world.clock.run(10 * 60_000);
    expect(await only()).toEqual(before);
    expect(seen.filter((status) => status !== 'running')).toEqual([]);
    expect(world.subAgentLauncher.running(containerId)).toHaveLength(1);
    expect(world.subAgentLauncher.processes).toHaveLength(1);
    expect(world.subAgentClient.calls.create).toBe(1);
    await end();
  },
);

test('a root that comes into being later counts from then on', async () => {
  const { world, api, byName, end } = await begin({ adopt: 'roots', roots: ['/home/me/projects'] }, addFolders);
  expect((await api.list()).devcontainers.map(({ level }) => level)).toEqual(['seen', 'seen']);
  world.configFiles.alias('/home/me/projects', '/src');
  world.engine.start('a');
  await world.clock.run(20);
  expect(await byName('a')).toMatchObject({ level: 'adopted', agent: { status: 'running' } });
  await end();
});

test.each([
  ['fails', 'engine-request-failed'],
  ['is given up', 'timeout'],
] as const)('one inspection that %s does not restart a sub-agent that is well', async (_how, code) => {
  const { world, only, containerId, end } = await beginWithApp();
  await world.clock.run(60_000);
  const before = await only();
  world.engine.failNext('inspectContainer', new AgentContainersError(code, 'The container is sick.'));
  const asked = world.engine.calls.inspectContainer;
  world.engine.cutEvents();
  await world.clock.run(10 * 60_000);
  expect(world.engine.calls.inspectContainer).toBeGreaterThan(asked);
  expect(await only()).toEqual(before);
  expect(world.subAgentLauncher.running(containerId)).toEqual(world.subAgentLauncher.processes);
  expect(world.subAgentLauncher.processes).toHaveLength(1);
  await end();
});

test('a listing that is given up amid its inspections does not restart a sub-agent that is well', async () => {
  const { world, only, containerId, end } = await beginWithApp({ options: { listTimeoutMs: 3_000 } });
  await world.clock.run(60_000);
  const before = await only();
  const gate = world.engine.hang('inspectContainer');
  world.engine.cutEvents();
  await world.clock.run(1_000);
  expect(gate.waiting).toBe(1);
  await world.clock.run(3_000);
  gate.open();
  await world.clock.run(10 * 60_000);
  expect(await only()).toEqual(before);
  expect(world.subAgentLauncher.running(containerId)).toHaveLength(1);
  expect(world.subAgentLauncher.processes).toHaveLength(1);
  await end();
});

test('a first inspection that fails does not restart the sub-agent once one is answered', async () => {
  const { world, only, containerId, end } = await beginWithApp({
    arrange: ({ engine }) =>
      engine.failNext('inspectContainer', new AgentContainersError('engine-request-failed', 'The container is sick.')),
  });
  expect(await only()).toMatchObject({ agent: { status: 'running' } });
  await world.clock.run(10 * 60_000);
  expect(world.subAgentLauncher.running(containerId)).toHaveLength(1);
  expect(world.subAgentLauncher.processes).toHaveLength(1);
  await end();
});

test('a container that was restarted and cannot be inspected for a while has its sub-agent started once', async () => {
  const { world, only, containerId, afterEvent, end } = await beginWithApp();
  const { inspectContainer } = world.engine;
  let sick = true;
  // Only what the listing asks; the injection that follows is answered.
  world.engine.inspectContainer = (id, signal) => {
    if (!sick) return inspectContainer(id, signal);
    sick = false;
    return Promise.reject(new AgentContainersError('engine-request-failed', 'The container is sick.'));
  };
  world.engine.restart(containerId);
  await afterEvent();
  await world.clock.run(10 * 60_000);
  expect(await only()).toMatchObject({ status: 'running', agent: { status: 'running' } });
  expect(world.subAgentLauncher.running(containerId)).toHaveLength(1);
  expect(world.subAgentLauncher.processes).toHaveLength(2);
  await end();
});

test('a restart counts as one, also of a container whose first inspection failed', async () => {
  const { world, only, containerId, afterEvent, end } = await beginWithApp({
    arrange: ({ engine, subAgentProvider }) => {
      subAgentProvider.provide('amd64', undefined);
      engine.failNext('inspectContainer', new AgentContainersError('engine-request-failed', 'The container is sick.'));
    },
  });
  await world.clock.run(10 * 60_000);
  expect(await only()).toMatchObject({ agent: { status: 'unsupported' } });
  expect(world.subAgentProvider.calls.resolve).toBe(1);
  world.subAgentProvider.provide('amd64', buildSubAgentBinary());
  world.engine.restart(containerId);
  await afterEvent();
  expect(await only()).toMatchObject({ agent: { status: 'running' } });
  await end();
});
