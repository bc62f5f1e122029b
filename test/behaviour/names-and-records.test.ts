import { expect, test } from 'vitest';
import { AgentContainersError } from '../../src/index.ts';
import { createGate } from '../../src/testing/index.ts';
import { APP, begin, beginWithApp, CONFIG, restarted } from './support/story.ts';

test('a name from the configuration is used as it is, by entry and record', async () => {
  const config = { image: 'x', customizations: { agentcontainers: { name: 'my-name' } } };
  const { world, only, end } = await beginWithApp({ workspace: { config } });
  expect(await only()).toMatchObject({ name: 'my-name', agent: { name: 'my-name' } });
  expect(world.subAgentClient.records).toMatchObject([{ name: 'my-name' }]);
  await end();
});

test('a name that is not valid is left out and said so', async () => {
  const config = { image: 'x', customizations: { agentcontainers: { name: 'My Name!' } } };
  const { world, only, end } = await beginWithApp({ workspace: { config } });
  expect(await only()).toMatchObject({ name: 'app', agent: { name: 'app', status: 'running' } });
  expect(world.logger.messages('warn')).toEqual([expect.stringContaining('not a valid name')]);
  await end();
});

test('equal folder names are made different by the folders above, and stay so over a recreate', async () => {
  const folders = ['/a/x/My App', '/b/x/My App', '/b/y/My App'];
  const { world, api, end } = await begin({}, ({ engine, addWorkspace }) => {
    for (const folder of folders) {
      addWorkspace(folder);
      engine.addContainer({ workspaceFolder: folder });
    }
  });
  const names = async (): Promise<(string | undefined)[]> =>
    (await api.list()).devcontainers.map(({ name, agent }) => (agent?.name === name ? name : undefined));
  const before = await names();
  expect(before).not.toContain(undefined);
  expect(new Set(before).size).toBe(3);
  for (const name of before) expect(name).toMatch(/^([a-z]-){0,2}my-app$/);
  expect(world.subAgentClient.records.map(({ name }) => name)).toEqual(expect.arrayContaining(before));
  for (const { id } of (await api.list()).devcontainers) {
    const { done } = await api.recreate(id);
    await world.clock.settle();
    expect(await done).toMatchObject({ status: 'succeeded' });
  }
  expect(await names()).toEqual(before);
  await end();
});

test('a name that is taken at the control plane is made longer, too', async () => {
  const taken = (name: string) => new AgentContainersError('sub-agent-name-taken', `The name ${name} is taken.`);
  const { world, only, end } = await beginWithApp({
    arrange: ({ subAgentClient }) =>
      subAgentClient.onCreate((spec) => {
        if (spec.name === 'app') throw taken(spec.name);
        return { record: { ...spec, id: 'record-1' }, token: 'secret' };
      }),
  });
  expect(world.subAgentClient.records).toMatchObject([{ name: 'src-app' }]);
  expect(await only()).toMatchObject({ name: 'src-app', agent: { name: 'src-app', status: 'running' } });
  await end();
});

test('a chosen name that is taken is an error and never altered', async () => {
  const config = { image: 'x', customizations: { agentcontainers: { name: 'mine' } } };
  const { world, byName, api, end } = await begin({}, ({ engine, addWorkspace }) => {
    addWorkspace('/src/mine');
    engine.addContainer({ workspaceFolder: '/src/mine' });
  });
  world.addWorkspace('/src/app', { config });
  world.engine.addContainer({ workspaceFolder: '/src/app' });
  await world.clock.run(20);
  expect(await byName('mine')).toBeDefined();
  const app = (await api.list()).devcontainers.find((one) => one.workspaceFolder === '/src/app');
  expect(app).toMatchObject({
    name: 'mine',
    status: 'running',
    agent: { status: 'failed', reason: expect.stringContaining('mine') },
    error: expect.stringContaining('mine'),
  });
  expect(world.subAgentClient.records).toHaveLength(1);
  await end();
});

test('a record is kept when its container restarts', async () => {
  const { world, only, containerId, afterEvent, end } = await beginWithApp();
  const before = (await only()).subAgentId;
  world.engine.restart(containerId);
  await afterEvent();
  expect((await only()).subAgentId).toBe(before);
  expect(world.subAgentClient.calls.create).toBe(1);
  expect(world.subAgentClient.deleted).toEqual([]);
  expect(world.subAgentLauncher.processes).toHaveLength(2);
  await end();
});

test('a record whose configuration changed is replaced', async () => {
  const { world, only, containerId, afterEvent, end } = await beginWithApp();
  const before = (await only()).subAgentId ?? '';
  world.cli.readsConfiguration(APP, { customizations: [{ agentcontainers: { apps: [{ slug: 'new' }] } }] });
  world.configFiles.write('/src/app', CONFIG, { image: 'agentcontainers-base:1', forwardPorts: [1] });
  world.engine.restart(containerId);
  await afterEvent();
  expect(world.subAgentClient.deleted).toEqual([before]);
  expect(world.subAgentClient.records).toMatchObject([{ name: 'app', apps: [{ slug: 'new' }] }]);
  expect(await only()).toMatchObject({ agent: { status: 'running', id: world.subAgentClient.records[0]?.id } });
  await end();
});

test('a pre-assigned record is updated in place and never deleted', async () => {
  const preassigned = 'c0ffee00-0000-4000-8000-000000000001';
  const manifest = [{ workspaceFolder: '/src/app', subAgentId: preassigned }];
  const { world, api, only, id, containerId, afterEvent, end } = await beginWithApp({
    options: { manifest },
    arrange: ({ subAgentClient }) => void subAgentClient.addRecord({ id: preassigned, name: 'embedder' }),
  });
  expect(await only()).toMatchObject({ subAgentId: preassigned, agent: { status: 'running' } });
  expect(world.subAgentClient.created).toMatchObject([{ spec: { id: preassigned, directory: '/workspaces/app' } }]);

  world.cli.readsConfiguration(APP, { customizations: [{ agentcontainers: { apps: [{ slug: 'new' }] } }] });
  world.configFiles.write('/src/app', CONFIG, { image: 'agentcontainers-base:1', forwardPorts: [1] });
  world.engine.restart(containerId);
  await afterEvent();
  expect(world.subAgentClient.records).toMatchObject([{ id: preassigned, apps: [{ slug: 'new' }] }]);
  await api.remove(id);
  expect(await only()).toMatchObject({ status: 'stopped', subAgentId: preassigned });
  await end();
  expect(world.subAgentClient.deleted).toEqual([]);
  expect(world.subAgentClient.records).toMatchObject([{ id: preassigned }]);
});

test('records that this process does not know are deleted at the start, but for pre-assigned ones', async () => {
  const { world, end } = await begin(
    { manifest: [{ workspaceFolder: '/src/app', subAgentId: 'kept' }] },
    ({ addWorkspace, subAgentClient }) => {
      addWorkspace('/src/app');
      for (const id of ['left-1', 'kept', 'left-2']) subAgentClient.addRecord({ id, name: id });
    },
  );
  expect([...world.subAgentClient.deleted].sort()).toEqual(['left-1', 'left-2']);
  expect(world.subAgentClient.records.map(({ id }) => id)).toEqual(['kept']);
  await end();
});

test('a control plane that hangs at the start holds up neither the first listing nor an injection', async () => {
  const { world, only, end } = await beginWithApp({
    arrange: ({ subAgentClient }) => void subAgentClient.hang('list'),
  });
  expect(await only()).toMatchObject({ status: 'running', agent: { status: 'running' } });
  await world.clock.run(10_000);
  expect(world.logger.messages('warn')).toEqual([expect.stringContaining('Cleaning up sub-agent records')]);
  expect(world.subAgentClient.deleted).toEqual([]);
  await end();
});

test('a name that is edited while the sub-agent runs reaches entry, record and process at once', async () => {
  const { world, only, id, end } = await beginWithApp();
  const before = (await only()).subAgentId ?? '';
  const renamed = { image: 'agentcontainers-base:1', customizations: { agentcontainers: { name: 'renamed' } } };
  world.cli.readsConfiguration(APP, { customizations: [renamed.customizations] });
  world.configFiles.write('/src/app', CONFIG, renamed);
  await world.clock.settle();

  const [record] = world.subAgentClient.records;
  expect(world.subAgentClient.records).toMatchObject([{ name: 'renamed' }]);
  expect(world.subAgentClient.deleted).toEqual([before]);
  expect(await only()).toMatchObject({
    id,
    name: 'renamed',
    subAgentId: record?.id,
    agent: { id: record?.id, name: 'renamed', status: 'running' },
  });
  // One process, and it has the token of the record that there is.
  expect(world.subAgentLauncher.running().map(({ request }) => request.env)).toMatchObject([
    {
      AGENTCONTAINERS_NAME: 'renamed',
      AGENTCONTAINERS_ID: record?.id,
      AGENTCONTAINERS_TOKEN: world.subAgentClient.created.at(-1)?.token,
    },
  ]);
  await world.clock.run(10 * 60_000);
  expect(world.subAgentClient.calls.create).toBe(2);
  await end();
});

test('a name that is edited during an injection is the one that entry and record have afterwards', async () => {
  const { world, only, end } = await begin({}, ({ addWorkspace, engine }) => {
    addWorkspace('/src/app');
    engine.addContainer({ workspaceFolder: '/src/app', state: 'exited', name: 'app-1' });
  });
  const launch = world.subAgentLauncher.hang('launch');
  world.engine.start('app-1');
  await world.clock.run(20);
  expect(launch.waiting).toBe(1);
  world.configFiles.write('/src/app', CONFIG, {
    image: 'agentcontainers-base:1',
    customizations: { agentcontainers: { name: 'renamed' } },
  });
  await world.clock.settle();
  launch.open();
  await world.clock.settle();
  expect(await only()).toMatchObject({ name: 'renamed', agent: { name: 'renamed', status: 'running' } });
  expect(world.subAgentClient.records).toMatchObject([{ name: 'renamed' }]);
  expect(world.subAgentLauncher.running()).toHaveLength(1);
  await end();
});

test('after a rename the new sub-agent begins when the old one has ended', async () => {
  const { world, only, containerId, end } = await beginWithApp();
  const [before] = world.subAgentLauncher.running();
  if (!before) throw new Error('No sub-agent runs.');
  const ending = createGate();
  const { stop } = before;
  before.stop = async (graceMs) => {
    await ending.wait();
    await stop(graceMs);
  };
  world.configFiles.write('/src/app', CONFIG, {
    image: 'agentcontainers-base:1',
    customizations: { agentcontainers: { name: 'renamed' } },
  });
  await ending.reached();
  await world.clock.run(5_000);
  expect(world.subAgentLauncher.running(containerId)).toEqual([before]);
  expect(world.subAgentLauncher.calls.launch).toBe(1);
  // Its record is still there, so that what it does until its end has an owner.
  expect(world.subAgentClient.records).toMatchObject([{ name: 'app' }]);
  ending.open();
  await world.clock.settle();
  expect(await only()).toMatchObject({ name: 'renamed', agent: { name: 'renamed', status: 'running' } });
  expect(world.subAgentLauncher.running(containerId)).toHaveLength(1);
  expect(before.running).toBe(false);
  expect(world.subAgentClient.records).toMatchObject([{ name: 'renamed' }]);
  await end();
});

test('a chosen name that is taken out of the file while we are away is gone', async () => {
  const first = await beginWithApp({
    workspace: { config: { image: 'x', customizations: { agentcontainers: { name: 'chosen' } } } },
  });
  expect(await first.only()).toMatchObject({ name: 'chosen' });
  await first.end();
  first.world.cli.readsConfiguration(APP);
  first.world.configFiles.write('/src/app', CONFIG, { image: 'x' });
  const second = await restarted(first);
  expect(await second.only()).toMatchObject({ id: first.id, name: 'app', agent: { name: 'app', status: 'running' } });
  await second.end();
});

test('a chosen name that stays in the file stays over a restart', async () => {
  const first = await beginWithApp({
    workspace: { config: { image: 'x', customizations: { agentcontainers: { name: 'chosen' } } } },
  });
  const second = await restarted(first);
  expect(await second.only()).toMatchObject({ name: 'chosen', agent: { name: 'chosen', status: 'running' } });
  await second.end();
});
