import { describe, expect, test } from 'vitest';
import { createGate } from '../../src/testing/index.ts';
import { APP, begin, beginWithApp, COMPOSE, CONFIG, projectLabels, restarted } from './support/story.ts';
import type { Story } from './support/story.ts';

// The CLI finds a container by the names of its compose project and service alone.

const OWN_NAME = /^app_devcontainer-[0-9a-f]{12}$/;
const THEIRS = '/other/app/.devcontainer';
const projectOf = (labels: Readonly<Record<string, string>> | undefined): string | undefined =>
  labels?.['com.docker.compose.project'];

/** Brings a folder up; the name of its project, or why it failed. */
async function up({ api, world }: Story, workspaceFolder = '/src/app'): Promise<string | undefined> {
  const { operation, done } = await api.create({ workspaceFolder });
  await world.clock.run(1_000);
  const { status, error } = await done;
  if (status !== 'succeeded') return error;
  const { container } = await api.get(operation.devcontainerId);
  return projectOf(world.engine.container(container?.id ?? '').labels);
}

const beginEmpty = (arrange: Parameters<typeof begin>[1] = () => {}): Promise<Story> =>
  begin({ trust: 'all' }, (world) => {
    world.addWorkspace('/src/app', { config: COMPOSE });
    arrange(world);
  });

describe('a new compose project', () => {
  test('has the name that the CLI gives it, in its build as well', async () => {
    const story = await beginEmpty();
    expect(await up(story)).toBe('app_devcontainer');
    const { cli } = story.world;
    expect([...cli.buildRequests, ...cli.upRequests].map(({ composeProject }) => composeProject)).toEqual([
      'app_devcontainer',
      'app_devcontainer',
    ]);
    await story.end();
  });

  test.each([
    ['of another folder', projectLabels('app', { folder: THEIRS })],
    ['of another service of another folder', projectLabels('db', { folder: THEIRS })],
    ['of nobody knows whom', { 'com.docker.compose.project': 'app_devcontainer' }],
  ])('has a name of its own where a container %s has that one', async (_whose, labels) => {
    const story = await beginEmpty(
      ({ engine }) => void engine.addContainer({ name: 'theirs', labels, state: 'exited' }),
    );
    expect(await up(story)).toMatch(OWN_NAME);
    expect(story.world.logger.messages('warn').join()).toContain('theirs');
    expect(story.world.engine.container('theirs').state).toBe('exited');
    await story.end();
  });

  test('that a file names like another one has a name of its own', async () => {
    const story = await beginEmpty(({ configFiles, engine }) => {
      configFiles.namesProject('/src/app', CONFIG, 'shop');
      engine.addContainer({ name: 'theirs', labels: projectLabels('app', { name: 'shop', folder: THEIRS }) });
    });
    expect(await up(story)).toMatch(/^shop-[0-9a-f]{12}$/);
    await story.end();
  });

  test('of a folder without a single letter has a name all the same', async () => {
    const story = await begin({ trust: 'all' }, (world) =>
      world.addWorkspace('/src/日本', { config: COMPOSE, configPath: '.devcontainer.json' }),
    );
    story.world.configFiles.namesProject('/src/日本', '.devcontainer.json', '');
    expect(await up(story, '/src/日本')).toMatch(/^devcontainer-[0-9a-f]{12}$/);
    await story.end();
  });

  test('does not take the container of somebody who has started the service by hand', async () => {
    const story = await beginEmpty(
      ({ engine }) => void engine.addContainer({ name: 'by-hand', labels: projectLabels('app') }),
    );
    expect(await up(story)).toContain('Remove the container by-hand');
    expect(story.world.cli.upRequests).toEqual([]);
    await story.end();
  });

  test('is made at a second attempt, whatever the first one has left', async () => {
    const story = await beginEmpty(({ cli, subAgentLauncher }) => {
      subAgentLauncher.mounts('/state/sub-agents');
      cli.onUp(APP, (run) => {
        const { id } = run.createContainer({ state: 'created' });
        if (run.request.readOnlyMounts?.length === 0) return run.success(id);
        const outputTail = 'invalid mount config for type "bind": bind source path does not exist: /state/sub-agents';
        return run.failure('It failed.', { phase: 'create', outputTail });
      });
    });
    expect(await up(story)).toBe('app_devcontainer');
    expect(story.world.cli.upRequests).toHaveLength(2);
    await story.end();
  });

  test('is not made when a container of that name comes while it is built', async () => {
    const building = createGate();
    const story = await beginEmpty(({ cli }) =>
      cli.onBuild(APP, async () => {
        await building.wait();
        return { outcome: 'success', images: [] };
      }),
    );
    const failing = up(story);
    await building.reached();
    story.world.engine.addContainer({ name: 'theirs', labels: projectLabels('app', { folder: THEIRS }) });
    building.open();
    expect(await failing).toContain(`${THEIRS} (container theirs)`);
    expect(story.world.cli.upRequests).toEqual([]);
    await story.end();
  });
});

describe('two clones of one repository', () => {
  const beginClones = (): Promise<Story> =>
    begin({ trust: 'all' }, (world) => {
      for (const folder of ['/one/app', '/two/app']) world.addWorkspace(folder, { config: COMPOSE });
    });

  test('have a project each, also when they are brought up at once', async () => {
    const story = await beginClones();
    const names = await Promise.all([up(story, '/one/app'), up(story, '/two/app')]);
    expect(names[0]).toBe('app_devcontainer');
    expect(names[1]).toMatch(OWN_NAME);
    await story.end();
  });

  test('have a project each also when both look for what there is at the same moment', async () => {
    const story = await beginClones();
    const volumes = story.world.engine.hang('listVolumes');
    const names = Promise.all([up(story, '/one/app'), up(story, '/two/app')]);
    await story.world.clock.settle();
    expect(volumes.waiting).toBe(2);
    volumes.open();
    expect(new Set(await names).size).toBe(2);
    await story.end();
  });

  test('keep them through recreates and restarts of the library', async () => {
    let story = await beginClones();
    const names = [await up(story, '/one/app'), await up(story, '/two/app')];
    story = await restarted(story);
    const { devcontainers } = await story.api.list();
    for (const { id } of devcontainers) await story.api.recreate(id);
    await story.world.clock.run(1_000);
    const projects = story.world.engine.containers().map(({ labels }) => projectOf(labels));
    expect(new Set(projects)).toEqual(new Set(names));
    await story.end();
  });

  test('are told apart where a daemon that was away finds them in one project', async () => {
    const story = await beginWithApp({
      options: { trust: 'all' },
      workspace: { config: COMPOSE },
      container: { labels: projectLabels('app'), state: 'exited' },
      arrange: ({ engine }) =>
        void engine.addContainer({ name: 'theirs', labels: projectLabels('db', { folder: THEIRS }) }),
    });
    const start = await story.api.startDevcontainer(story.id);
    await story.world.clock.settle();
    expect((await start.done).error).toContain(`${THEIRS} (container theirs)`);
    expect(story.world.cli.upRequests).toEqual([]);
    const recreate = await story.api.recreate(story.id);
    await story.world.clock.run(1_000);
    expect(await recreate.done).toMatchObject({ status: 'succeeded' });
    expect(story.world.cli.upRequests.at(-1)?.composeProject).toMatch(OWN_NAME);
    await story.end();
  });
});

describe('services of one project', () => {
  const beginServices = (second: string): Promise<Story> =>
    begin({ trust: 'all' }, (world) => {
      const config = { ...COMPOSE, dockerComposeFile: '../compose.yml' };
      world.addWorkspace('/src/app', { config, configPath: '.devcontainer/a/devcontainer.json' });
      const other = { ...config, service: second };
      world.addWorkspace('/src/app', { config: other, configPath: '.devcontainer/b/devcontainer.json' });
    });

  test.each([
    ['share it where they are the dev containers of two configurations', 'api', /^app_devcontainer$/],
    ['do not where two configurations have the same one', 'app', OWN_NAME],
  ])('%s', async (_what, second, name) => {
    const story = await beginServices(second);
    for (const one of ['a', 'b']) {
      const configPath = `.devcontainer/${one}/devcontainer.json`;
      const { done } = await story.api.create({ workspaceFolder: '/src/app', configPath });
      await story.world.clock.run(1_000);
      expect(await done).toMatchObject({ status: 'succeeded' });
    }
    const [first, last] = story.world.cli.upRequests.map(({ composeProject }) => composeProject);
    expect(first).toBe('app_devcontainer');
    expect(last).toMatch(name);
    await story.end();
  });

  test('do not share it either while nobody has seen yet whose container has just been made', async () => {
    const configPaths = ['a', 'b'].map((one) => `/src/app/.devcontainer/${one}/devcontainer.json`);
    const [a = '', b = ''] = configPaths;
    const manifest = configPaths.map((configPath) => ({ workspaceFolder: '/src/app', configPath }));
    const config = { ...COMPOSE, dockerComposeFile: '../compose.yml' };
    const starting = createGate();
    const story = await begin({ trust: 'all', manifest }, (world) => {
      for (const configPath of configPaths) world.addWorkspace('/src/app', { config, configPath });
      world.cli.onUp({ ...APP, configPath: a }, async (run) => {
        const { id } = run.createContainer();
        await run.wait(starting);
        return run.success(id);
      });
    });
    const { devcontainers } = await story.api.list();
    const idOf = (path: string): string => devcontainers.find(({ configPath }) => configPath === path)?.id ?? '';
    await story.api.startDevcontainer(idOf(a));
    const looking = story.world.configFiles.hang('realDirectory');
    await starting.reached();
    const { done } = await story.api.startDevcontainer(idOf(b));
    await story.world.clock.settle();
    looking.open();
    starting.open();
    await story.world.clock.run(1_000);
    expect(await done).toMatchObject({ status: 'succeeded' });
    await story.end();
  });

  test('do not share it either when they are brought up at once', async () => {
    const story = await beginServices('app');
    for (const one of ['a', 'b']) {
      await story.api.create({ workspaceFolder: '/src/app', configPath: `.devcontainer/${one}/devcontainer.json` });
    }
    await story.world.clock.run(1_000);
    expect(new Set(story.world.cli.upRequests.map(({ composeProject }) => composeProject)).size).toBe(2);
    await story.end();
  });
});

describe('volumes that are left of a project', () => {
  const PROJECT = { 'com.docker.compose.project': 'app_devcontainer' };

  test('are not given to a folder that has not made them', async () => {
    const story = await beginEmpty(({ engine }) => engine.addVolume('app_devcontainer_db', PROJECT));
    expect(await up(story)).toMatch(OWN_NAME);
    expect(story.world.logger.messages('warn').join()).toContain('app_devcontainer_db');
    await story.end();
  });

  test.each(['app_devcontainer_api', 'app_devcontainer-api'])(
    'are told from those of others by an image that a build would overwrite, too: %s',
    async (image) => {
      const story = await begin({ trust: 'all' }, (world) => {
        world.addWorkspace('/src/app', { config: { ...COMPOSE, builds: ['web', 'api'] } });
        world.engine.addImage(image);
      });
      expect(await up(story)).toMatch(OWN_NAME);
      expect(story.world.cli.buildRequests).toMatchObject([{ composeProject: expect.stringMatching(OWN_NAME) }]);
      await story.end();
    },
  );

  test('are those of a folder where a file says so', async () => {
    const story = await beginEmpty(({ configFiles, engine }) => {
      configFiles.namesProject('/src/app', CONFIG, 'app_devcontainer');
      engine.addVolume('app_devcontainer_db', PROJECT);
    });
    expect(await up(story)).toBe('app_devcontainer');
    await story.end();
  });

  test('are found again by the folder that has made them, also after a restart', async () => {
    let story = await beginEmpty();
    await up(story);
    story.world.engine.addVolume('app_devcontainer_db', PROJECT);
    const { id } = await story.only();
    await story.api.remove(id);
    story = await restarted(story);
    expect(await up(story)).toBe('app_devcontainer');
    await story.api.remove(id, { volumes: 'named' });
    expect(story.world.engine.volumes).not.toContain('app_devcontainer_db');
    await story.end();
  });

  test('stay while another folder uses the project as well', async () => {
    const mounts = [
      { type: 'bind', source: '/src/app', destination: '/w', writable: true },
      { type: 'volume', source: 'app_devcontainer_db', destination: '/data', writable: true },
    ];
    const { world, api, id, end } = await beginWithApp({
      workspace: { config: COMPOSE },
      container: { labels: projectLabels('app'), mounts },
      arrange: ({ engine }) => {
        engine.addContainer({ name: 'theirs', labels: projectLabels('db', { folder: THEIRS }), state: 'exited' });
        engine.addVolume('app_devcontainer_db', PROJECT);
        engine.addNetwork('app_devcontainer_default', PROJECT);
      },
    });
    const plan = { containers: ['app-1'], volumes: [], networks: [] };
    expect(await api.planRemoval(id, { volumes: 'named' })).toMatchObject(plan);
    await api.remove(id, { volumes: 'named' });
    expect(world.engine.containers().map(({ name }) => name)).toEqual(['theirs']);
    expect(world.engine.volumes).toEqual(['app_devcontainer_db']);
    expect(world.engine.networks).toEqual(['app_devcontainer_default']);
    await end();
  });

  test('go with a project of another name where a container of it mounts them, and networks of that name stay', async () => {
    const named = { 'com.docker.compose.project': 'named-by-hand' };
    const { world, api, id, end } = await beginWithApp({
      workspace: { config: COMPOSE },
      container: {
        labels: projectLabels('app', { name: 'named-by-hand' }),
        mounts: [
          { type: 'bind', source: '/src/app', destination: '/w', writable: true },
          { type: 'volume', source: 'mounted', destination: '/data', writable: true },
        ],
      },
      arrange: ({ engine }) => {
        for (const volume of ['mounted', 'other']) engine.addVolume(volume, named);
        engine.addNetwork('named-by-hand_default', named);
      },
    });
    await api.remove(id, { volumes: 'named' });
    expect(world.engine.volumes).toEqual(['other']);
    expect(world.engine.networks).toEqual(['named-by-hand_default']);
    await end();
  });

  test('that no container of the folder mounts stay, where it was not us who made the project', async () => {
    const { world, api, id, end } = await beginWithApp({
      workspace: { config: COMPOSE },
      container: { labels: projectLabels('app') },
      arrange: ({ engine }) => engine.addVolume('app_devcontainer_db', PROJECT),
    });
    await api.remove(id, { volumes: 'named' });
    expect(world.engine.volumes).toEqual(['app_devcontainer_db']);
    await end();
  });
});

describe('labels of another project on a container of an image', () => {
  const labels = projectLabels('app', { name: 'shop', folder: '/other/shop' });
  const beginForged = (config: object) =>
    beginWithApp({
      options: { trust: 'all' },
      workspace: { config },
      container: { labels },
      arrange: ({ engine }) => {
        engine.addContainer({ name: 'shop-db', labels: projectLabels('db', { name: 'shop', folder: '/other/shop' }) });
        engine.addVolume('shop_db', { 'com.docker.compose.project': 'shop' });
        engine.addNetwork('shop_default', { 'com.docker.compose.project': 'shop' });
      },
    });

  test.each([
    ['with compose files beside the image', { image: 'x', ...COMPOSE }],
    ['with compose files', COMPOSE],
  ])('make nothing of that project ours, %s', async (_what, config) => {
    const { world, api, id, end } = await beginForged(config);
    await api.stopDevcontainer(id);
    await world.clock.settle();
    expect(world.engine.container('shop-db').running).toBe(true);
    const plan = { containers: ['app-1'], volumes: [], networks: [] };
    expect(await api.planRemoval(id, { volumes: 'named' })).toMatchObject(plan);
    await api.remove(id, { volumes: 'named' });
    expect(world.engine.containers().map(({ name }) => name)).toEqual(['shop-db']);
    expect([world.engine.volumes, world.engine.networks]).toEqual([['shop_db'], ['shop_default']]);
    await end();
  });

  test.each([
    ['the labels of another project', labels],
    ['no such labels', {}],
    ['those of another service', projectLabels('db')],
  ])('a container with %s is not started as a compose service; it is to be recreated', async (_what, own) => {
    const { world, api, id, end } = await beginWithApp({
      options: { trust: 'all' },
      workspace: { config: COMPOSE },
      container: { labels: own, state: 'exited' },
      arrange: ({ engine }) => void engine.addContainer({ name: 'jovial_jang' }),
    });
    const { done } = await api.startDevcontainer(id);
    await world.clock.settle();
    const { error } = await done;
    expect(error).toContain('Recreate it: agentcontainers recreate app');
    expect(error).not.toContain('jovial_jang');
    expect(world.cli.upRequests).toEqual([]);
    const recreate = await api.recreate(id);
    await world.clock.run(1_000);
    expect(await recreate.done).toMatchObject({ status: 'succeeded' });
    expect(world.cli.upRequests.at(-1)?.composeProject).toBe('app_devcontainer');
    await end();
  });
});

describe('a container that is there', () => {
  test('is not started while the CLI could take another one for it', async () => {
    const { world, api, id, end } = await beginWithApp({
      options: { trust: 'all' },
      workspace: { config: COMPOSE },
      container: { labels: projectLabels('app'), state: 'exited' },
      arrange: ({ engine }) => void engine.addContainer({ name: 'by-hand', labels: projectLabels('app') }),
    });
    const { done } = await api.startDevcontainer(id);
    await world.clock.settle();
    expect((await done).error).toContain('Remove the container by-hand');
    expect(world.cli.upRequests).toEqual([]);
    await end();
  });

  test('is put back when somebody else comes into its project in the course of a recreate', async () => {
    const { world, api, only, id, containerId, end } = await beginWithApp({
      options: { trust: 'all' },
      workspace: { config: COMPOSE },
      container: { labels: projectLabels('app') },
    });
    const stopping = world.engine.hang('stopContainer');
    const { done } = await api.recreate(id);
    await stopping.reached();
    world.engine.addContainer({ name: 'theirs', labels: projectLabels('app', { folder: THEIRS }) });
    stopping.open();
    await world.clock.run(1_000);
    expect((await done).error).toContain(`${THEIRS} (container theirs)`);
    const { status, container } = await only();
    expect([status, container?.name, container?.id === containerId]).toEqual(['running', 'app-1', false]);
    expect(
      world.engine
        .containers()
        .map(({ name }) => name)
        .toSorted(),
    ).toEqual(['app-1', 'theirs']);
    await end();
  });

  test('keeps its project when a file names another one, until it is recreated', async () => {
    const story = await beginEmpty();
    await up(story);
    const { id, container } = await story.only();
    story.world.configFiles.namesProject('/src/app', CONFIG, 'shop');
    story.world.engine.stop(container?.id ?? '');
    await story.world.clock.run(1_000);
    await story.api.startDevcontainer(id);
    await story.world.clock.run(1_000);
    expect(await story.only()).toMatchObject({ status: 'running', container: { id: container?.id } });
    expect(story.world.cli.upRequests.at(-1)).toMatchObject({ mode: 'find', composeProject: 'app_devcontainer' });
    await story.api.recreate(id);
    await story.world.clock.run(1_000);
    expect(story.world.cli.upRequests.at(-1)).toMatchObject({ mode: 'make', composeProject: 'shop' });
    await story.end();
  });

  test.each([
    ['is started and recreated in a project that others have named', [], 'named-by-hand'],
    ['is recreated in a project of its own where volumes of that one are not its', ['other'], 'app_devcontainer'],
  ])('%s', async (_what, volumes, expected) => {
    const own = projectLabels('app', { name: 'named-by-hand' });
    const { world, api, id, end } = await beginWithApp({
      options: { trust: 'all' },
      workspace: { config: COMPOSE },
      container: { labels: own },
      arrange: ({ engine }) => {
        for (const volume of volumes) engine.addVolume(volume, { 'com.docker.compose.project': 'named-by-hand' });
      },
    });
    await api.recreate(id);
    await world.clock.run(1_000);
    expect(world.cli.upRequests.at(-1)?.composeProject).toBe(expected);
    await end();
  });

  test('by a link to its folder is in the same project', async () => {
    const { world, api, id, end } = await beginWithApp({
      options: { trust: 'all' },
      workspace: { config: COMPOSE },
      container: { labels: projectLabels('app', { folder: '/home/app/.devcontainer' }) },
      arrange: ({ engine, configFiles }) => {
        configFiles.alias('/home/app', '/src/app');
        engine.addContainer({ name: 'db', labels: projectLabels('db', { folder: '/home/app/.devcontainer' }) });
      },
    });
    await api.stopDevcontainer(id);
    await world.clock.settle();
    expect(world.engine.container('db').running).toBe(false);
    await api.startDevcontainer(id);
    await world.clock.run(1_000);
    expect(world.cli.upRequests).toMatchObject([{ mode: 'find', composeProject: 'app_devcontainer' }]);
    await end();
  });
});

test('an up that ends well in a container that is not ours has failed', async () => {
  const story = await beginEmpty(({ cli, engine }) => {
    const theirs = engine.addContainer({ name: 'theirs', labels: projectLabels('app', { name: 'other' }) });
    cli.onUp(APP, (run) => run.success(theirs.id));
  });
  expect(await up(story)).toContain('the container theirs');
  expect(await story.only()).toMatchObject({ status: 'error', error: expect.stringContaining('theirs') });
  await story.end();
});
