import { expect, test } from 'vitest';
import type { StateStorage } from '../../src/index.ts';
import { createGate } from '../../src/testing/index.ts';
import type { TestWorld } from '../../src/testing/index.ts';
import { begin, tell } from './support/story.ts';

/** A daemon that ran with a devcontainer of its own; the container is gone by now, so only the state tells of it. */
async function leftAlone(): Promise<TestWorld> {
  const { world, api, end } = await begin({}, ({ addWorkspace }) => addWorkspace('/src/app'));
  const { done } = await api.create({ workspaceFolder: '/src/app' });
  await world.clock.settle();
  expect(await done).toMatchObject({ status: 'succeeded' });
  await end();
  for (const { id } of world.engine.containers()) world.engine.remove(id);
  return world;
}

test('the first pass reads each configuration that is known, once; they are watched after that', async () => {
  const world = await leftAlone();
  const { calls, watchDirectories } = world.configFiles;
  const before = calls.read;
  const readsBeforeWatches: number[] = [];
  world.configFiles.watchDirectories = (key) => {
    readsBeforeWatches.push(calls.read - before);
    return watchDirectories(key);
  };
  const { api, end } = tell(world);
  await api.start();
  expect(await api.list()).toMatchObject({ devcontainers: [{ status: 'stopped', trusted: true, verdict: {} }] });
  expect(readsBeforeWatches[0] ?? 1).toBe(1);
  await world.clock.settle();
  world.configFiles.write('/src/app', '.devcontainer/devcontainer.json', '{ broken');
  await world.clock.settle();
  expect(await api.list()).toMatchObject({ devcontainers: [{ configError: { line: 1 } }] });
  await end();
});

test('what is changed between the first read and the first watch is seen', async () => {
  const world = await leftAlone();
  const { api, end } = tell(world);
  await api.start();
  world.configFiles.write('/src/app', '.devcontainer/devcontainer.json', '{ broken', { quietly: true });
  await world.clock.settle();
  expect(await api.list()).toMatchObject({ devcontainers: [{ configError: { line: 1 } }] });
  await end();
});

test('a close without a start leaves the stored state as it is', async () => {
  const world = await leftAlone();
  const before = await world.storage.load();
  expect(before).toMatchObject({ entries: [{ workspaceFolder: '/src/app' }], operations: [{ kind: 'create' }] });
  await tell(world).end();
  expect(await world.storage.load()).toEqual(before);
});

test.each(['before', 'after'])(
  'a close while the state is being read, which is answered %s the close has ended, leaves it as it is',
  async (when) => {
    const world = await leftAlone();
    const before = await world.storage.load();
    const answer = createGate();
    const storage: StateStorage = {
      ...world.storage,
      load: () => answer.wait().then(() => world.storage.load()),
      save: (state) => world.storage.save(state),
    };
    const { api, end } = tell(world, { storage });
    const started = api.start();
    await answer.reached();
    const closing = api.close();
    if (when === 'after') await closing;
    answer.open();
    await Promise.all([closing, started]);
    await end();
    const after = await world.storage.load();
    expect(after?.entries).toEqual(before?.entries);
    expect(after?.operations).toEqual(before?.operations);
  },
);

test('a state that could not be read is not written over, whatever happens until the next start', async () => {
  const world = await leftAlone();
  const before = await world.storage.load();
  const storage: StateStorage = {
    ...world.storage,
    load: () => Promise.reject(new Error('EIO')),
    save: (state) => world.storage.save(state),
  };
  const second = tell(world, { storage });
  await second.api.start();
  world.addWorkspace('/src/other');
  const { done } = await second.api.create({ workspaceFolder: '/src/other' });
  await world.clock.settle();
  expect(await done).toMatchObject({ status: 'succeeded' });
  await second.end();
  expect(await world.storage.load()).toEqual(before);

  const third = tell(world);
  await third.api.start();
  await world.clock.settle();
  expect(await third.byName('app')).toMatchObject({ workspaceFolder: '/src/app', status: 'stopped' });
  await third.end();
});
