import { expect, test } from 'vitest';
import type { PersistedState, StateStorage } from '../../src/index.ts';
import { createGate, createMemoryStorage, createTestWorld, FAKE_CLOCK_START } from '../../src/testing/index.ts';
import type { TestWorld } from '../../src/testing/index.ts';
import { APP, begin, beginWithApp, CONFIG, restarted, tell } from './support/story.ts';

/** What a daemon that is killed now leaves behind. */
async function leftBy({ storage }: TestWorld): Promise<PersistedState | undefined> {
  return storage.load();
}

test('a restart finds the same devcontainers under the same ids, each with one sub-agent', async () => {
  const first = await beginWithApp();
  const second = await restarted(first);
  expect(await second.only()).toMatchObject({
    id: first.id,
    name: 'app',
    status: 'running',
    dirty: false,
    level: 'adopted',
    container: { id: first.containerId },
    agent: { status: 'running' },
  });
  expect(second.world.subAgentLauncher.running()).toHaveLength(1);
  expect(second.world.subAgentClient.records).toHaveLength(1);
  await second.end();
});

test('what a person asked for is listed after a restart, also without a container', async () => {
  const first = await begin({ adopt: 'none' }, ({ addWorkspace }) => addWorkspace('/src/app'));
  await first.api.create({ workspaceFolder: '/src/app' });
  await first.world.clock.settle();
  const { id, container } = await first.only();
  first.world.engine.remove(container?.id ?? '');
  await first.world.clock.run(20);
  const second = await restarted(first);
  expect(await second.only()).toMatchObject({ id, status: 'stopped', dirty: false });
  await second.end();
});

test('a container that we made is managed after a restart, whatever the policy', async () => {
  const first = await begin({ adopt: 'none' }, ({ addWorkspace }) => addWorkspace('/src/app'));
  await first.api.create({ workspaceFolder: '/src/app' });
  await first.world.clock.settle();
  expect(await first.only()).toMatchObject({ level: 'managed', status: 'running' });
  const second = await restarted(first);
  expect(await second.only()).toMatchObject({ level: 'managed', status: 'running', agent: { status: 'running' } });
  await second.end();
});

test('a name from a collision is kept, also when the other one is gone', async () => {
  const first = await begin({}, ({ engine, addWorkspace }) => {
    for (const folder of ['/a/app', '/b/app']) {
      addWorkspace(folder);
      engine.addContainer({ workspaceFolder: folder, name: folder.slice(1, 2) });
    }
  });
  const names = new Map((await first.api.list()).devcontainers.map((one) => [one.workspaceFolder, one.name]));
  await first.end();
  first.world.engine.remove('a');
  const second = tell(first.world);
  await second.api.start();
  await second.world.clock.settle();
  const left = (await second.api.list()).devcontainers.find((one) => one.workspaceFolder === '/b/app');
  expect(left?.name).toBe(names.get('/b/app'));
  await second.end();
});

test('an operation that ended can be read after a restart', async () => {
  const first = await beginWithApp();
  const { done } = await first.api.recreate(first.id);
  await first.world.clock.settle();
  const ended = await done;
  const second = await restarted(first);
  expect(await second.api.operation(ended.id)).toEqual(ended);
  await expect(second.api.operation('nothing')).rejects.toMatchObject({ code: 'operation-not-found' });
  await second.end();
});

test('an operation that was under way when its daemon was killed is interrupted', async () => {
  const first = await beginWithApp({
    arrange: ({ cli }) =>
      cli.onUp(APP, async (up) => {
        await up.wait(createGate());
        return up.success('never');
      }),
  });
  const { operation } = await first.api.recreate(first.id);
  await first.world.clock.settle();
  const left = await leftBy(first.world);
  await first.end();

  const second = tell(first.world, { storage: createMemoryStorage(left) });
  await second.api.start();
  await second.world.clock.settle();
  const found = await second.api.operation(operation.id);
  expect(found).toMatchObject({ kind: 'recreate', status: 'interrupted', error: expect.any(String) });
  expect(found.endedAt).toBeDefined();
  expect(await second.only()).toMatchObject({ id: first.id, status: 'running', agent: { status: 'running' } });
  await second.end();
});

test.each([
  ['as it was', { image: 'node:22' }, false],
  ['edited since', { image: 'node:24' }, true],
])(
  'a container that an up made after its daemon was killed is known by what that up set out from: %s',
  async (_what, config, dirty) => {
    const first = await begin({ adopt: 'none' }, ({ addWorkspace, cli }) => {
      addWorkspace('/src/app', { config: { image: 'node:22' } });
      cli.onUp(APP, async (up) => {
        await up.wait(createGate());
        return up.success('never');
      });
    });
    await first.api.create({ workspaceFolder: '/src/app' });
    await first.world.clock.settle();
    const left = await leftBy(first.world);
    await first.end();

    // The CLI lived on for a while and made the container; meanwhile the file was written.
    first.world.engine.addContainer({ workspaceFolder: '/src/app' });
    await first.world.clock.run(5_000);
    first.world.configFiles.write('/src/app', CONFIG, config);
    const second = tell(first.world, { storage: createMemoryStorage(left) });
    await second.api.start();
    await second.world.clock.settle();
    expect(await second.only()).toMatchObject({ level: 'managed', status: 'running', dirty });
    expect(second.world.subAgentLauncher.running()).toHaveLength(1);
    expect(second.world.cli.calls.up).toBe(1);
    await second.end();
  },
);

test('records that a killed daemon left are deleted, and no sub-agent runs under a dead token', async () => {
  const first = await beginWithApp();
  const left = await leftBy(first.world);
  const orphan = first.world.subAgentClient.records[0]?.id;
  await first.end();
  // As if the close had never come to it.
  first.world.subAgentClient.addRecord({ id: orphan ?? '', name: 'app' });

  const second = tell(first.world, { storage: createMemoryStorage(left) });
  await second.api.start();
  await second.world.clock.run(10_000);
  const records = second.world.subAgentClient.records;
  expect(records.map(({ id }) => id)).not.toContain(orphan);
  expect(records).toHaveLength(1);
  const [process] = second.world.subAgentLauncher.running();
  expect(process?.request.env['AGENTCONTAINERS_ID']).toBe(records[0]?.id);
  await second.end();
});

test('a state that cannot be read is said so, and the start goes on', async () => {
  const broken: StateStorage = {
    ...createMemoryStorage(),
    load: () => Promise.reject(new Error('the file is damaged')),
    save: async () => {},
  };
  const { world, only, id, end } = await beginWithApp({ options: { storage: broken } });
  expect(await only()).toMatchObject({ id, status: 'running', agent: { status: 'running' } });
  expect(world.logger.messages('error')).toEqual([expect.stringContaining('the file is damaged')]);
  await end();
});

test('a state that cannot be written is said so once, and everything goes on', async () => {
  let failing = true;
  const storage: StateStorage = {
    ...createMemoryStorage(),
    load: async () => undefined,
    save: async () => {
      if (failing) throw new Error('the disk is full');
    },
  };
  const { world, api, only, id, end } = await beginWithApp({ options: { storage } });
  for (let time = 0; time < 3; time++) {
    await api.recreate(id);
    await world.clock.settle();
  }
  expect(await only()).toMatchObject({ status: 'running', dirty: false });
  expect(world.logger.messages('error')).toEqual([expect.stringContaining('the disk is full')]);
  failing = false;
  await end();
  expect(world.logger.messages('info').filter((text) => text.includes('works again'))).toHaveLength(1);
});

test('a state from elsewhere, with what is not there any more, does no harm', async () => {
  const world = createTestWorld();
  const state: PersistedState = {
    version: 1,
    entries: [
      { id: 'x', workspaceFolder: '/gone', configPath: '/gone/.devcontainer.json', adopted: true, made: [] },
      {
        id: 'y',
        workspaceFolder: '/gone/too',
        configPath: '/gone/too/.devcontainer.json',
        adopted: false,
        made: [{ containerId: 'none', fingerprint: 'f', inputs: {}, ours: false }],
      },
    ],
    operations: [],
  };
  const story = tell(world, { storage: createMemoryStorage(state) });
  await story.api.start();
  await world.clock.settle();
  expect(await story.only()).toMatchObject({ workspaceFolder: '/gone', status: 'stopped', dirty: false });
  expect(world.logger.messages('error')).toEqual([]);
  await story.end();
});

test('a restart while the engine is away forgets nothing', async () => {
  const first = await beginWithApp({ workspace: { config: { image: 'a' } } });
  const { name, id } = await first.only();
  await first.end();
  first.world.engine.goDown();
  const second = tell(first.world);
  await second.api.start();
  await second.end();
  first.world.engine.comeBack();
  // A touch: only what was remembered tells that the container was made from this.
  await first.world.clock.run(5_000);
  first.world.configFiles.write('/src/app', CONFIG, { image: 'a' });
  const third = await restarted(second);
  expect(await third.only()).toMatchObject({ id, name, status: 'running', dirty: false, agent: { status: 'running' } });
  await third.end();
});

const IGNORED = { image: 'x', customizations: { agentcontainers: { ignore: true } } };

test.each([
  ['was there from the beginning', IGNORED, 0],
  ['was there from the beginning, in a file newer than the container', IGNORED, 60_000],
  ['came by an edit', { image: 'x' }, 0],
])('an opt-out that %s holds over a kill with a file that broke meanwhile', async (_what, config, age) => {
  const first = await beginWithApp({
    workspace: { config },
    container: { createdAt: FAKE_CLOCK_START - age },
  });
  first.world.configFiles.write('/src/app', CONFIG, IGNORED);
  await first.world.clock.settle();
  expect((await first.only()).agent).toBeUndefined();
  const left = await leftBy(first.world);
  await first.end();
  const delivered = first.world.subAgentLauncher.calls.deliver;

  first.world.configFiles.breakAt('/src/app', CONFIG);
  const second = tell(first.world, { storage: createMemoryStorage(left) });
  await second.api.start();
  await second.world.clock.run(70_000);
  expect((await second.only()).agent).toBeUndefined();
  expect(second.world.subAgentLauncher.calls.deliver).toBe(delivered);

  // Whoever mends the file and takes the opt-out away has a sub-agent again.
  second.world.configFiles.write('/src/app', CONFIG, { image: 'x' });
  await second.world.clock.settle();
  expect(await second.only()).toMatchObject({ agent: { status: 'running' } });
  await second.end();
});
