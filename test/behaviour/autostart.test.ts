import { expect, test } from 'vitest';
import { AgentContainersError } from '../../src/index.ts';
import type { AgentContainersOptions, Finding } from '../../src/index.ts';
import { buildConfig, type TestWorld } from '../../src/testing/index.ts';
import { APP, begin, CONFIG, restarted, tell, type Story } from './support/story.ts';

const OPTIONS: AgentContainersOptions = { adopt: 'roots', roots: ['/src'], discovery: true, autoStart: true };
const MOUNT: Finding = { kind: 'mount', detail: '/var/run/docker.sock', source: './.devcontainer/devcontainer.json' };
const WANTS_IT = buildConfig({ customizations: { agentcontainers: { autoStart: true } } });

function addApp(world: TestWorld): void {
  world.addWorkspace('/src/app', { config: WANTS_IT });
}

/** Its configuration is not there any more, e.g. since another branch was checked out. */
function hideApp({ configFiles, projectFinder }: TestWorld): void {
  configFiles.remove('/src/app', CONFIG);
  projectFinder.remove('/src/app');
}

/** Long enough for every pass, search and retry. */
async function later({ world }: Story): Promise<void> {
  await world.clock.run(15 * 60_000);
}

/** A person has looked at it. */
async function accept({ world, api, byName }: Story, name = 'app'): Promise<void> {
  const { id, verdict } = await byName(name);
  await api.trust(id, verdict?.hash ?? '');
  await world.clock.settle();
}

test('a discovered devcontainer that asks for it, and that a person has accepted, is started by itself, once', async () => {
  const story = await begin(OPTIONS, (world) => {
    addApp(world);
    world.addWorkspace('/src/other');
  });
  const { world, api, byName, end } = story;
  await accept(story, 'other');
  await accept(story);
  expect(await byName('app')).toMatchObject({ status: 'running', agent: { status: 'running' } });
  expect(await byName('other')).toMatchObject({ status: 'stopped' });
  const [container] = world.engine.containers();
  world.engine.crash(container?.id ?? '');
  await later(story);
  expect(await byName('app')).toMatchObject({ status: 'stopped' });
  expect(world.cli.calls.up).toBe(1);
  await api.startDevcontainer((await byName('app')).id);
  await world.clock.settle();
  expect(await byName('app')).toMatchObject({ status: 'running' });
  await end();
});

test('one that comes later is started when it was found and accepted', async () => {
  const story = await begin(OPTIONS);
  addApp(story.world);
  await story.world.clock.run(400);
  await accept(story);
  expect(await story.only()).toMatchObject({ status: 'running' });
  await story.end();
});

test('the same counts for a devcontainer of the manifest', async () => {
  const options = { autoStart: true, manifest: [{ workspaceFolder: '/src/app' }] };
  const story = await begin(options, addApp);
  await later(story);
  expect(await story.only()).toMatchObject({ status: 'stopped' });
  await accept(story);
  expect(await story.only()).toMatchObject({ status: 'running' });
  await story.end();
});

test('nothing is started by itself when that is not switched on', async () => {
  const story = await begin({ ...OPTIONS, autoStart: undefined }, addApp);
  await accept(story);
  await later(story);
  expect(await story.only()).toMatchObject({ status: 'stopped' });
  expect(story.world.cli.calls.up).toBe(0);
  await story.end();
});

test('nothing is started by itself that nobody has accepted, even if it can do nothing to the host', async () => {
  const story = await begin(OPTIONS, addApp);
  const { world, api, only } = story;
  await later(story);
  // A person may start it, as that person has said so; once it stopped, nobody does.
  expect(await only()).toMatchObject({ status: 'stopped', trusted: true, verdict: { findings: [] } });
  expect(world.cli.calls).toMatchObject({ build: 0, up: 0 });
  const asked = world.logger.messages('warn').filter((text) => text.includes('agentcontainers trust --yes app'));
  expect(asked).toHaveLength(1);
  const next = await restarted(story);
  await later(next);
  expect(world.cli.calls).toMatchObject({ build: 0, up: 0 });
  await next.api.startDevcontainer((await next.only()).id);
  await world.clock.settle();
  expect(await next.only()).toMatchObject({ status: 'running' });
  await expect(api.list()).rejects.toMatchObject({ code: 'api-closed' });
  await next.end();
});

test('what can reach the host is started by itself only when a person has accepted exactly that', async () => {
  const story = await begin(OPTIONS, (world) => {
    addApp(world);
    world.configFiles.asks('/src/app', CONFIG, [MOUNT]);
  });
  const { world, api, only, end } = story;
  await later(story);
  expect(await only()).toMatchObject({ status: 'stopped', trusted: false });
  expect(world.cli.calls.up).toBe(0);
  await api.trust((await only()).id, (await only()).verdict?.hash ?? '');
  await world.clock.settle();
  expect(await only()).toMatchObject({ status: 'running', trusted: true });
  await end();
});

test('an initializeCommand that nobody accepted is a reason not to start', async () => {
  const story = await begin(OPTIONS, (world) => {
    addApp(world);
    world.configFiles.asks('/src/app', CONFIG, [{ ...MOUNT, kind: 'initialize-command' }]);
  });
  await later(story);
  expect(await story.only()).toMatchObject({ status: 'stopped' });
  expect(story.world.cli.calls.up).toBe(0);
  await story.end();
});

test('where the embedder trusts everything, what can reach the host is started too', async () => {
  const story = await begin({ ...OPTIONS, trust: 'all' }, (world) => {
    addApp(world);
    world.configFiles.asks('/src/app', CONFIG, [MOUNT]);
  });
  await story.world.clock.settle();
  expect(await story.only()).toMatchObject({ status: 'running' });
  await story.end();
});

test.each<[string, (api: Story['api'], id: string) => Promise<unknown>]>([
  ['stopped stays stopped', (api, id) => api.stopDevcontainer(id)],
  ['deleted is not made again', (api, id) => api.remove(id)],
])('what a person %s, also after a restart', async (_what, end) => {
  const story = await begin(OPTIONS, addApp);
  const { world, api, only } = story;
  await accept(story);
  await end(api, (await only()).id);
  await later(story);
  expect(await only()).toMatchObject({ status: 'stopped' });
  const next = await restarted(story);
  await later(next);
  expect(await next.only()).toMatchObject({ status: 'stopped' });
  expect(world.cli.calls.up).toBe(1);
  await next.end();
});

test.each<[string, (story: Story) => Promise<void>]>([
  ['stopped', async ({ api, only }) => void (await api.stopDevcontainer((await only()).id))],
  ['deleted', async ({ api, only }) => api.remove((await only()).id)],
  ['seen to end by itself', async ({ world }) => world.engine.crash(world.engine.containers()[0]?.id ?? '')],
])(
  'what was %s is not started again when its configuration is away for a while, also over a restart',
  async (how, end) => {
    const story = await begin(OPTIONS, addApp);
    const { world } = story;
    await accept(story);
    await end(story);
    await later(story);
    for (const container of world.engine.containers()) world.engine.remove(container.id);
    await later(story);
    // Another branch, for some seconds.
    hideApp(world);
    await world.clock.run(7_000);
    await later(story);
    expect((await story.api.list()).devcontainers).toEqual([]);
    addApp(world);
    await later(story);
    expect(await story.only()).toMatchObject({ status: 'stopped', trust: { hash: expect.any(String) } });
    expect(world.cli.calls.up).toBe(1);

    hideApp(world);
    await later(story);
    const next = await restarted(story);
    addApp(world);
    await later(next);
    expect(await next.only()).toMatchObject({ trust: { hash: expect.any(String) } });
    // Nobody stopped it: a new life of the library starts it once.
    expect(world.cli.calls.up).toBe(how === 'seen to end by itself' ? 2 : 1);
    await next.end();
  },
);

test('what was brought up by a person and deleted is not made again either', async () => {
  const story = await begin(OPTIONS);
  const { world, api, only, end } = story;
  world.addWorkspace('/src/app', { config: WANTS_IT });
  await api.create({ workspaceFolder: '/src/app' });
  await world.clock.settle();
  await accept(story);
  await later(story);
  await api.remove((await only()).id);
  await later(story);
  expect(await only()).toMatchObject({ status: 'stopped' });
  expect(world.cli.calls.up).toBe(1);
  await end();
});

test('what runs already has had its start: it is not started again when it ends', async () => {
  const story = await begin(OPTIONS, (world) => {
    addApp(world);
    world.engine.addContainer({ workspaceFolder: '/src/app', name: 'app-1' });
  });
  const { world, only, end } = story;
  const { container } = await only();
  world.engine.crash(container?.id ?? '');
  await later(story);
  expect(await only()).toMatchObject({ status: 'stopped' });
  expect(world.cli.calls.up).toBe(0);
  await end();
});

test('a container that is there and stopped is started, not made again', async () => {
  const story = await begin(OPTIONS, (world) => {
    addApp(world);
    world.engine.addContainer({ workspaceFolder: '/src/app', name: 'app-1', state: 'exited' });
  });
  const { world, only, end } = story;
  await accept(story);
  expect(await only()).toMatchObject({ status: 'running', container: { name: 'app-1' } });
  expect(world.engine.containers()).toHaveLength(1);
  await end();
});

test('a start that fails is shown and not tried again', async () => {
  const story = await begin(OPTIONS, (world) => {
    addApp(world);
    world.cli.onUp(APP, (up) => up.failure('The build failed.'));
  });
  const { world, only, end } = story;
  await accept(story);
  await later(story);
  expect(await only()).toMatchObject({ status: 'error' });
  expect(world.cli.calls.up).toBe(1);
  await end();
});

test('before a listing has told what runs, nothing is started', async () => {
  const first = await begin(OPTIONS, (world) => world.addWorkspace('/src/app'));
  await accept(first);
  const { world } = first;
  await first.end();
  addApp(world);
  world.engine.failNext('listContainers', new AgentContainersError('engine-unreachable', 'Nobody answers.'), 3);
  const { api, end } = tell(world);
  await api.start();
  await world.clock.settle();
  expect(world.cli.calls.up).toBe(0);
  await world.clock.run(60_000);
  expect((await api.list()).devcontainers).toMatchObject([{ status: 'running' }]);
  expect(world.cli.calls.up).toBe(1);
  await end();
});

test('a configuration that is broken starts nothing, and one that is mended does', async () => {
  const story = await begin(OPTIONS, (world) => world.addWorkspace('/src/app'));
  const { world, only, end } = story;
  await accept(story);
  world.addWorkspace('/src/app', { config: '{ "customizations": { "agentcontainers": { "autoStart": true } }, ' });
  await later(story);
  expect(await only()).toMatchObject({ status: 'stopped' });
  expect(world.cli.calls.up).toBe(0);
  addApp(world);
  await world.clock.settle();
  expect(await only()).toMatchObject({ status: 'running' });
  await end();
});

test('what is only seen is never started by itself', async () => {
  const story = await begin({ ...OPTIONS, adopt: 'none' }, (world) => {
    addApp(world);
    world.engine.addContainer({ workspaceFolder: '/src/app', state: 'exited' });
  });
  await later(story);
  expect(await story.only()).toMatchObject({ level: 'seen', status: 'stopped' });
  expect(story.world.cli.calls.up).toBe(0);
  expect(story.world.engine.calls.startContainer).toBe(0);
  await story.end();
});
