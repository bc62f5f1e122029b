import { expect, test } from 'vitest';
import type { AgentContainersOptions, Finding } from '../../src/index.ts';
import { createTestWorld, type TestWorld } from '../../src/testing/index.ts';
import { begin, CONFIG, restarted, tell, type Story } from './support/story.ts';

const OPTIONS: AgentContainersOptions = { adopt: 'roots', roots: ['/src'], discovery: true };
const MOUNT: Finding = { kind: 'mount', detail: '/var/run/docker.sock', source: './.devcontainer/devcontainer.json' };

function discovering(arrange: (world: TestWorld) => void, options: AgentContainersOptions = {}): Promise<Story> {
  return begin({ ...OPTIONS, ...options }, arrange);
}

async function names({ api }: Story): Promise<string[]> {
  return (await api.list()).devcontainers.map(({ name, status }) => `${name} ${status}`);
}

/** A project that is not there any more, with its files. */
function dropProject({ configFiles, projectFinder }: TestWorld, folder: string): void {
  configFiles.remove(folder, CONFIG);
  projectFinder.remove(folder);
}

test('projects below a root are listed as stopped, each configuration of its own, and nothing is done to them', async () => {
  const story = await discovering((world) => {
    world.addWorkspace('/src/app');
    world.addWorkspace('/src/web', { configPath: '.devcontainer/one/devcontainer.json' });
    world.addWorkspace('/src/web', { configPath: '.devcontainer/two/devcontainer.json' });
    world.addWorkspace('/elsewhere/app');
  });
  const { world, api, end } = story;
  expect(await names(story)).toEqual(['app stopped', 'web stopped', 'src-web stopped']);
  const { devcontainers } = await api.list();
  for (const one of devcontainers) expect(one).toMatchObject({ level: 'adopted', dirty: false, trusted: true });
  expect(devcontainers.map(({ configPath }) => configPath)).toEqual([
    '/src/app/.devcontainer/devcontainer.json',
    '/src/web/.devcontainer/one/devcontainer.json',
    '/src/web/.devcontainer/two/devcontainer.json',
  ]);
  await world.clock.run(11 * 60_000);
  expect(await names(story)).toEqual(['app stopped', 'web stopped', 'src-web stopped']);
  expect(world.cli.calls).toMatchObject({ up: 0, build: 0, readConfiguration: 0 });
  expect(world.engine.containers()).toEqual([]);
  await end();
});

test('without the option nothing is looked for', async () => {
  const story = await discovering(({ addWorkspace }) => addWorkspace('/src/app'), { discovery: undefined });
  await story.world.clock.run(11 * 60_000);
  expect(await names(story)).toEqual([]);
  expect(story.world.projectFinder.calls.find).toBe(0);
  await story.end();
});

test('a project that appears is listed within a moment, and one that goes is not listed any more', async () => {
  const story = await discovering(({ addWorkspace }) => addWorkspace('/src/app'));
  const { world, api, end } = story;
  const seen: string[][] = [];
  api.subscribe(({ devcontainers }) => seen.push(devcontainers.map(({ name }) => name)));
  world.addWorkspace('/src/group/new');
  await world.clock.run(200);
  expect(await names(story)).toEqual(['app stopped', 'new stopped']);
  dropProject(world, '/src/app');
  await world.clock.run(2_400);
  expect(await names(story)).toEqual(['new stopped']);
  expect(seen).toContainEqual(['app', 'new']);
  expect(seen.at(-1)).toEqual(['new']);
  expect(world.watcher.directories.filter((directory) => directory.startsWith('/src/app'))).toEqual([]);
  await end();
});

test('a checkout that removes a configuration and makes it again leaves its entry, and what was trusted, alone', async () => {
  const story = await discovering((world) => {
    world.addWorkspace('/src/app');
    world.configFiles.asks('/src/app', CONFIG, [MOUNT]);
  });
  const { world, api, only, end } = story;
  const { id, verdict } = await only();
  await api.trust(id, verdict?.hash ?? '');
  dropProject(world, '/src/app');
  await world.clock.run(1_000);
  expect(await only()).toMatchObject({ id, trusted: true, configError: { message: 'There is no such file.' } });
  world.addWorkspace('/src/app');
  await world.clock.run(60_000);
  expect(await only()).toMatchObject({ id, trusted: true });
  expect((await only()).configError).toBeUndefined();
  await end();
});

test('a discovered devcontainer is brought up, and when it is deleted it stays as stopped and can be started again', async () => {
  const story = await discovering(({ addWorkspace }) => addWorkspace('/src/app'));
  const { world, api, only, end } = story;
  const { id } = await only();
  for (const bringUp of [() => api.startDevcontainer(id), () => api.create({ workspaceFolder: '/src/app' })]) {
    const { done } = await bringUp();
    await world.clock.settle();
    expect(await done).toMatchObject({ status: 'succeeded' });
    expect(await only()).toMatchObject({ id, status: 'running', agent: { status: 'running' } });
    await world.clock.run(11 * 60_000);
    expect((await api.planRemoval(id)).entryGoes).toBe(false);
    await api.remove(id);
    await world.clock.settle();
    expect(await only()).toMatchObject({ id, status: 'stopped', dirty: false, subAgentId: null });
    expect((await only()).container).toBeUndefined();
    expect(world.engine.containers()).toEqual([]);
    await world.clock.run(11 * 60_000);
    expect(await only()).toMatchObject({ id, status: 'stopped' });
  }
  await end();
  expect(world.subAgentClient.records).toEqual([]);
});

test('what goes while it has a container stays listed with it, and goes with it', async () => {
  const story = await discovering(({ addWorkspace }) => addWorkspace('/src/app'));
  const { world, api, only, end } = story;
  const { id } = await only();
  await api.startDevcontainer(id);
  await world.clock.settle();
  dropProject(world, '/src/app');
  await world.clock.run(10_000);
  expect(await only()).toMatchObject({ id, status: 'running', agent: { status: 'running' } });
  await api.remove(id);
  await world.clock.settle();
  expect((await api.list()).devcontainers).toEqual([]);
  await end();
});

test('what goes while it is brought up is let alone until that has ended', async () => {
  const story = await discovering(({ addWorkspace }) => addWorkspace('/src/app'));
  const { world, api, only, end } = story;
  const { id } = await only();
  const gate = world.engine.hang('listContainers');
  await api.startDevcontainer(id);
  await world.clock.settle();
  dropProject(world, '/src/app');
  await world.clock.run(10_000);
  expect(await only()).toMatchObject({ id, status: 'starting' });
  gate.open();
  await world.clock.run(10_000);
  expect(await only()).toMatchObject({ id, status: 'running' });
  await end();
});

test('a container that was there before is that of the discovered entry', async () => {
  const story = await discovering((world) => {
    world.addWorkspace('/src/app');
    world.engine.addContainer({ workspaceFolder: '/src/app' });
  });
  const { world, only, end } = story;
  expect(await only()).toMatchObject({ status: 'running', level: 'adopted', agent: { status: 'running' } });
  await world.clock.run(11 * 60_000);
  expect(await only()).toMatchObject({ status: 'running' });
  await end();
});

test('a container that only claims to belong to a discovered project is never taken for its own', async () => {
  const story = await discovering((world) => {
    world.addWorkspace('/src/app');
    // An image can carry any label; what its container mounts is elsewhere.
    world.engine.addContainer({
      workspaceFolder: '/src/app',
      mounts: [{ type: 'bind', source: '/tmp/evil', destination: '/workspaces/app', writable: true }],
    });
  });
  const { world, api, only, end } = story;
  await world.clock.run(60_000);
  await api.refresh();
  expect(await only()).toMatchObject({ status: 'stopped', level: 'adopted' });
  expect((await only()).container).toBeUndefined();
  const { id } = await only();
  await api.stopDevcontainer(id);
  await world.clock.settle();
  expect(world.engine.calls).toMatchObject({ exec: 0, putArchive: 0, stopContainer: 0, removeContainer: 0 });
  await end();
});

test('where nothing is adopted, projects are listed, and neither read nor watched', async () => {
  const story = await discovering(({ addWorkspace }) => addWorkspace('/src/app'), { adopt: 'none' });
  const { world, api, only, end } = story;
  await world.clock.run(11 * 60_000);
  await api.refresh();
  expect(await only()).toMatchObject({ level: 'seen', status: 'stopped' });
  expect(world.configFiles.calls.read).toBe(0);
  await expect(api.startDevcontainer((await only()).id)).rejects.toMatchObject({ code: 'devcontainer-not-adopted' });
  await end();
});

test('a configuration of a discovered project is followed: its name, and what is wrong with it', async () => {
  const story = await discovering(({ addWorkspace }) => addWorkspace('/src/app'));
  const { world, only, end } = story;
  world.configFiles.write('/src/app', CONFIG, '{ "image": ');
  await world.clock.settle();
  expect(await only()).toMatchObject({ name: 'app', configError: { line: 1 } });
  world.configFiles.write('/src/app', CONFIG, { image: 'x', customizations: { agentcontainers: { name: 'chosen' } } });
  await world.clock.settle();
  expect(await only()).toMatchObject({ name: 'chosen' });
  expect((await only()).configError).toBeUndefined();
  await end();
});

test('a disk that does not answer does not hold up the list; what is on it is listed when it answers', async () => {
  const world = createTestWorld();
  world.subAgentsSucceed();
  world.addWorkspace('/src/app');
  world.addWorkspace('/src/other');
  world.engine.addContainer({ workspaceFolder: '/src/other' });
  const gate = world.projectFinder.hang('find');
  const story = tell(world, OPTIONS);
  let started = false;
  const starting = story.api.start().then(() => (started = true));
  await world.clock.run(500);
  expect(started).toBe(true);
  await starting;
  expect(await names(story)).toEqual(['other running']);
  gate.open();
  await world.clock.run(500);
  expect(await names(story)).toEqual(['app stopped', 'other running']);
  await story.end();
});

test('after a restart the entries, their names and what was trusted are the same', async () => {
  const story = await discovering((world) => {
    world.addWorkspace('/src/x/app');
    world.configFiles.asks('/src/x/app', CONFIG, [MOUNT]);
  });
  const { world, api, only } = story;
  const { id, verdict } = await only();
  await api.trust(id, verdict?.hash ?? '');
  world.addWorkspace('/src/a/app');
  await world.clock.run(400);
  expect(await names(story)).toEqual(['a-app stopped', 'app stopped']);
  const next = await restarted(story);
  await world.clock.run(5_000);
  expect(await names(next)).toEqual(['a-app stopped', 'app stopped']);
  expect(await next.api.get(id)).toMatchObject({ trusted: true, name: 'app' });
  await next.end();
});

test('what went while the daemon was down is not listed any more', async () => {
  const story = await discovering((world) => {
    world.addWorkspace('/src/app');
    world.addWorkspace('/src/gone');
    world.configFiles.asks('/src/gone', CONFIG, [MOUNT]);
  });
  const { id, verdict } = await story.byName('gone');
  await story.api.trust(id, verdict?.hash ?? '');
  await story.end();
  dropProject(story.world, '/src/gone');
  const next = tell(story.world);
  await next.api.start();
  await next.world.clock.run(10_000);
  expect(await names(next)).toEqual(['app stopped']);
  await next.end();
});

test('closing ends a search that is under way', async () => {
  const story = await discovering(({ addWorkspace }) => addWorkspace('/src/app'));
  const { world, api } = story;
  const gate = world.projectFinder.hang('find');
  world.addWorkspace('/src/new');
  await world.clock.run(300);
  await api.close();
  gate.open();
  await world.clock.settle();
  world.assertNoLeaks();
});
