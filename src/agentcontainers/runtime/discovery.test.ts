import { describe, expect, it } from 'vitest';
import { cancelled } from '../../errors.ts';
import { createTestWorld, type TestWorld } from '../../testing/index.ts';
import type { Event } from '../model/events.ts';
import { initialState } from '../model/state.ts';
import { devcontainerId } from './devcontainer-id.ts';
import { createDiscovery } from './discovery.ts';
import type { Runtime } from './runtime.ts';
import { createStore } from './store.ts';

const keyOf = (folder: string) => ({
  workspaceFolder: folder,
  configPath: `${folder}/.devcontainer/devcontainer.json`,
});

/** Discovery over a store, without the rest of the library. The engine has answered unless `unseen`. */
function begin(
  given: {
    readonly roots?: readonly string[];
    readonly projects?: readonly string[];
    readonly discovery?: boolean;
    readonly unseen?: boolean;
    readonly arrange?: (world: TestWorld) => void;
  } = {},
) {
  const { roots = ['/src'], projects = [], discovery = true } = given;
  const world = createTestWorld();
  const { clock, projectFinder, configFiles, logger } = world;
  for (const root of roots) configFiles.addDirectory(root);
  for (const project of projects) world.addWorkspace(project);
  given.arrange?.(world);
  const settings = { adopt: 'roots', injectSubAgents: true, trust: 'ask', autoStart: false } as const;
  const store = createStore(initialState(settings), () => {}, logger);
  const events: Event[] = [];
  const dispatch = (event: Event): void => {
    events.push(event);
    store.dispatch(event);
  };
  const controller = new AbortController();
  const rt = {
    ports: world,
    options: { discovery, roots },
    store: {
      get state() {
        return store.state;
      },
      dispatch,
    },
    closing: controller.signal,
  } as unknown as Runtime;
  const observe = (): void =>
    dispatch({
      type: 'observed',
      startRevision: store.state.revision,
      at: clock.now(),
      passId: 'pass',
      containers: [],
      claims: [],
      readings: new Map(),
    });
  if (given.unseen !== true) observe();
  const running = createDiscovery(rt);
  return {
    world,
    clock,
    projectFinder,
    configFiles,
    events,
    observe,
    running,
    start: () => running.start(),
    folders: () => [...store.state.entries.values()].map(({ key }) => key.workspaceFolder).sort(),
    /** As the state of the last run tells of it. */
    restore: (folder: string) =>
      dispatch({
        type: 'registered',
        id: devcontainerId(keyOf(folder)),
        key: keyOf(folder),
        origin: 'discovered',
        adopted: true,
        made: [],
      }),
    async end() {
      controller.abort(cancelled('closing'));
      await running.close();
      world.assertNoLeaks();
    },
  };
}

describe('discovery', () => {
  it('finds what is there, what comes, and what goes', async () => {
    const { clock, projectFinder, start, folders, end } = begin({ projects: ['/src/a', '/src/group/b'] });
    await start();
    expect(folders()).toEqual(['/src/a', '/src/group/b']);
    projectFinder.add('/src/group/c');
    await clock.run(200);
    expect(folders()).toEqual(['/src/a', '/src/group/b', '/src/group/c']);
    projectFinder.remove('/src/group/b');
    await clock.run(2_200);
    expect(folders()).toEqual(['/src/a', '/src/group/c']);
    await end();
  });

  it('does nothing when it is off, or without roots', async () => {
    for (const given of [{ discovery: false }, { roots: [] }]) {
      const { clock, projectFinder, start, end } = begin(given);
      await start();
      expect(projectFinder.calls.find).toBe(0);
      expect(clock.pending()).toEqual([]);
      await end();
    }
  });

  it('leaves alone what goes only for a moment, as in a checkout', async () => {
    const { clock, projectFinder, start, events, end } = begin({ projects: ['/src/a'] });
    await start();
    for (let round = 0; round < 3; round++) {
      projectFinder.remove('/src/a');
      await clock.run(1_500);
      projectFinder.add('/src/a');
      await clock.run(1_500);
    }
    const told = events.filter((event) => event.type === 'discovered');
    expect(told.length).toBeGreaterThan(6);
    expect(told.every(({ found }) => found.length === 1)).toBe(true);
    await end();
  });

  it('searches again every five minutes, for what no watch told of', async () => {
    const { clock, projectFinder, start, folders, end } = begin();
    await start();
    projectFinder.add('/src/a', undefined, { quietly: true });
    await clock.run(299_999);
    expect(folders()).toEqual([]);
    await clock.run(1);
    expect(folders()).toEqual(['/src/a']);
    projectFinder.remove('/src/a', undefined, { quietly: true });
    await clock.run(302_000);
    expect(folders()).toEqual([]);
    await end();
  });

  it('does not hold up the start for longer than a moment', async () => {
    const { clock, projectFinder, start, folders, end } = begin({ projects: ['/src/a'] });
    const gate = projectFinder.hang('find');
    let started = false;
    const starting = start().then(() => (started = true));
    await clock.run(499);
    expect(started).toBe(false);
    await clock.run(1);
    await starting;
    expect(folders()).toEqual([]);
    gate.open();
    await clock.settle();
    expect(folders()).toEqual(['/src/a']);
    await end();
  });

  it('finds below one root while another hangs or fails', async () => {
    const { world, clock, projectFinder, start, folders, end } = begin({
      roots: ['/dead', '/broken', '/src'],
      projects: ['/src/a', '/dead/b', '/broken/c'],
    });
    const answer = projectFinder.find;
    const hanging: (() => void)[] = [];
    const find: typeof answer = async (root, signal) => {
      if (root === '/broken') throw new Error('EIO');
      if (root === '/dead') await new Promise<void>((resolve) => hanging.push(resolve));
      return answer(root, signal);
    };
    Object.assign(projectFinder, { find });
    const starting = start();
    await clock.run(500);
    await starting;
    expect(folders()).toEqual(['/src/a']);
    await clock.run(30_000);
    expect(world.logger.messages('warn')).toEqual([
      'EIO What was found there before is kept.',
      'Looking for projects below /dead failed: no answer within 30 s. What was found there before is kept.',
    ]);
    projectFinder.add('/src/new');
    await clock.run(200);
    expect(folders()).toEqual(['/src/a', '/src/new']);
    // The mount comes back.
    Object.assign(projectFinder, { find: answer });
    for (const release of hanging) release();
    await clock.run(400);
    expect(folders()).toEqual(['/dead/b', '/src/a', '/src/new']);
    await end();
  });

  it('keeps what it found when a search fails', async () => {
    const { clock, projectFinder, start, folders, end } = begin({ projects: ['/src/a'] });
    await start();
    projectFinder.failNext('find', new Error('EIO'), 100);
    projectFinder.remove('/src/a');
    await clock.run(60_000);
    expect(folders()).toEqual(['/src/a']);
    await end();
  });

  it('finds a root that comes, and lets its projects go with it', async () => {
    const { world, clock, projectFinder, start, folders, end } = begin({ roots: ['/src/later'] });
    await start();
    expect(world.watcher.directories).toEqual(['/src/later']);
    world.addWorkspace('/src/later/a');
    world.watcher.change('/src/later');
    await clock.run(200);
    expect(folders()).toEqual(['/src/later/a']);
    projectFinder.remove('/src/later/a');
    await clock.run(2_200);
    expect(folders()).toEqual([]);
    await end();
  });
});

describe('what the last run knew', () => {
  it('goes when it is not found, but not before a listing has told that it has no container', async () => {
    const { clock, start, restore, observe, folders, end } = begin({ projects: ['/src/a'], unseen: true });
    restore('/src/a');
    restore('/src/gone');
    await start();
    await clock.run(2_000);
    expect(folders()).toEqual(['/src/a', '/src/gone']);
    observe();
    await clock.run(300_000);
    expect(folders()).toEqual(['/src/a']);
    await end();
  });

  it('stays when the first search fails, and below a root that is none any more', async () => {
    const { clock, projectFinder, start, restore, folders, end } = begin();
    restore('/src/gone');
    restore('/elsewhere/a');
    projectFinder.failNext('find', new Error('EIO'));
    await start();
    await clock.run(10_000);
    expect(folders()).toEqual(['/elsewhere/a', '/src/gone']);
    await clock.run(302_000);
    expect(folders()).toEqual(['/elsewhere/a']);
    await end();
  });
});

describe('a search that reached a bound', () => {
  it('lets go only what is really away', async () => {
    const { clock, projectFinder, configFiles, start, folders, end } = begin({ projects: ['/src/a', '/src/b'] });
    await start();
    projectFinder.truncate('There is more.');
    projectFinder.remove('/src/a');
    await clock.run(60_000);
    expect(folders()).toEqual(['/src/a', '/src/b']);
    configFiles.remove('/src/a', '.devcontainer/devcontainer.json');
    projectFinder.remove('/src/b');
    await clock.run(310_000);
    expect(folders()).toEqual(['/src/b']);
    await end();
  });
});

describe('roots that lie in each other', () => {
  it('the inner one answers for what is below it, since it was searched deeper', async () => {
    const { clock, projectFinder, start, folders, end } = begin({
      roots: ['/src', '/src/deep', '/src/deep/er'],
      projects: ['/src/a', '/src/deep/b', '/src/deep/er/c'],
    });
    const answer = projectFinder.find;
    // The outer ones do not look as far down.
    const find: typeof answer = async (root, signal) => {
      const found = await answer(root, signal);
      const depth = root.split('/').length + 1;
      return { ...found, keys: found.keys.filter((key) => key.workspaceFolder.split('/').length <= depth) };
    };
    Object.assign(projectFinder, { find });
    await start();
    expect(folders()).toEqual(['/src/a', '/src/deep/b', '/src/deep/er/c']);
    for (let round = 0; round < 3; round++) {
      projectFinder.add(`/src/new${round}`);
      await clock.run(10_000);
    }
    expect(folders()).toHaveLength(6);
    projectFinder.remove('/src/deep/er/c');
    projectFinder.remove('/src/new0');
    await clock.run(2_200);
    expect(folders()).toEqual(['/src/a', '/src/deep/b', '/src/new1', '/src/new2']);
    await end();
  });

  it('one that has not answered keeps what it knew, whatever the outer one finds', async () => {
    const { clock, projectFinder, start, restore, folders, end } = begin({ roots: ['/src', '/src/dead'] });
    restore('/src/dead/a');
    restore('/src/gone');
    const answer = projectFinder.find;
    const find: typeof answer = (root, signal) =>
      root === '/src/dead' ? Promise.reject(new Error('EIO')) : answer(root, signal);
    Object.assign(projectFinder, { find });
    await start();
    await clock.run(310_000);
    expect(folders()).toEqual(['/src/dead/a']);
    await end();
  });

  it('the same one twice is one', async () => {
    const { projectFinder, start, folders, end } = begin({ roots: ['/src', '/src'], projects: ['/src/a'] });
    await start();
    expect(projectFinder.calls.find).toBe(1);
    expect(folders()).toEqual(['/src/a']);
    await end();
  });
});

it('a root that is a link can come to lead elsewhere: what was found where it led goes', async () => {
  const { clock, projectFinder, configFiles, start, folders, end } = begin({
    roots: ['/link'],
    projects: ['/one/a', '/two/b'],
    arrange: ({ configFiles: files }) => files.alias('/link', '/one'),
  });
  const answer = projectFinder.find;
  const find: typeof answer = async (root, signal) => answer((await configFiles.realDirectory(root)) ?? root, signal);
  Object.assign(projectFinder, { find });
  await start();
  expect(folders()).toEqual(['/one/a']);
  configFiles.alias('/link', '/two');
  await clock.run(300_000);
  expect(folders()).toEqual(['/one/a', '/two/b']);
  await clock.run(2_000);
  expect(folders()).toEqual(['/two/b']);
  await end();
});

it('tells nothing after the end, also when the end comes during the start', async () => {
  const { clock, projectFinder, start, events, end } = begin({ projects: ['/src/a'] });
  const gate = projectFinder.hang('find', { at: 'answer' });
  const starting = start();
  await clock.settle();
  await end();
  await starting;
  gate.open();
  await clock.settle();
  expect(events.filter(({ type }) => type === 'discovered')).toEqual([]);
  await start();
  expect(clock.pending()).toEqual([]);
});
