import { expect, test } from 'vitest';
import type { ContainerSeed } from '../../src/testing/index.ts';
import { FAKE_CLOCK_START } from '../../src/testing/index.ts';
import { begin, beginWithApp } from './support/story.ts';

const LATER = FAKE_CLOCK_START + 60_000;
/** As made by an older CLI, which did not label the configuration. */
const NO_CONFIG_LABEL = { workspaceFolder: undefined, labels: { 'devcontainer.local_folder': '/src/app' } };

type Seed = Omit<ContainerSeed, 'workspaceFolder'> & { workspaceFolder?: string | undefined };

test.each<[string, Seed, Seed]>([
  ['one that runs before a newer one that exited', {}, { state: 'exited', createdAt: LATER }],
  ['one that runs before a newer one that is paused', {}, { state: 'paused', createdAt: LATER }],
  ['a created one before a newer paused one', { state: 'created' }, { state: 'paused', createdAt: LATER }],
  ['a restarting one before a newer paused one', { state: 'restarting' }, { state: 'paused', createdAt: LATER }],
  ['a paused one before a newer exited one', { state: 'paused' }, { state: 'exited', createdAt: LATER }],
  ['the one with the exact config label before a newer one', {}, { ...NO_CONFIG_LABEL, createdAt: LATER }],
  ['the newest of equals', { createdAt: LATER }, {}],
])('of several containers it takes %s', async (_what, better, worse) => {
  for (const order of [
    [better, worse],
    [worse, better],
  ]) {
    const { only, end } = await begin({}, ({ engine, addWorkspace }) => {
      addWorkspace('/src/app');
      for (const seed of order) {
        const name = seed === better ? 'better' : 'worse';
        engine.addContainer({ workspaceFolder: '/src/app', ...(seed as ContainerSeed), name });
      }
    });
    expect(await only()).toMatchObject({ container: { name: 'better' }, candidates: [{ name: 'worse' }] });
    await end();
  }
});

test('a stale stopped container that is newer in the list changes nothing, and is told as a candidate', async () => {
  const { world, only, afterEvent, containerId, end } = await beginWithApp();
  const stale = world.engine.addContainer({ workspaceFolder: '/src/app', name: 'stale', state: 'exited' });
  await afterEvent();
  expect(await only()).toMatchObject({
    status: 'running',
    container: { id: containerId },
    agent: { status: 'running' },
    candidates: [{ containerId: stale.id, name: 'stale', reason: 'it is exited, the chosen one is running' }],
  });
  expect(world.subAgentLauncher.running(containerId)).toHaveLength(1);
  expect(world.subAgentLauncher.processes).toHaveLength(1);
  await end();
});

test('when the chosen one dies the next is chosen and injected within one event', async () => {
  const { world, only, afterEvent, containerId, end } = await beginWithApp();
  const next = world.engine.addContainer({ workspaceFolder: '/src/app', createdAt: FAKE_CLOCK_START - 5_000 });
  await afterEvent();
  expect(await only()).toMatchObject({ container: { id: containerId } });

  world.engine.crash(containerId);
  await afterEvent();
  expect(await only()).toMatchObject({
    status: 'running',
    container: { id: next.id },
    candidates: [{ containerId }],
    agent: { status: 'running' },
  });
  expect(world.subAgentLauncher.running().map(({ request }) => request.containerId)).toEqual([next.id]);
  await end();
});

test('several containers of one folder are warned of once', async () => {
  const { world, api, afterEvent, end } = await beginWithApp();
  world.engine.addContainer({ workspaceFolder: '/src/app', state: 'exited' });
  await afterEvent();
  for (let pass = 0; pass < 5; pass++) await api.refresh();
  expect(world.logger.messages('warn').filter((text) => text.startsWith('Several containers'))).toHaveLength(1);
  await end();
});

test('once the others are gone there are no candidates', async () => {
  const { world, only, afterEvent, end } = await beginWithApp();
  const other = world.engine.addContainer({ workspaceFolder: '/src/app', state: 'exited' });
  await afterEvent();
  expect((await only()).candidates).toHaveLength(1);
  world.engine.remove(other.id);
  await afterEvent();
  expect((await only()).candidates).toBeUndefined();
  await end();
});

test('a config label counts as exact through a symlink, too: the newest of equals is taken', async () => {
  const { only, end } = await begin({}, ({ addWorkspace, engine, configFiles }) => {
    addWorkspace('/src/app');
    configFiles.alias('/link', '/src/app');
    engine.addContainer({ workspaceFolder: '/link', name: 'new', createdAt: LATER });
    engine.addContainer({ workspaceFolder: '/src/app', name: 'old' });
  });
  expect(await only()).toMatchObject({
    container: { name: 'new' },
    candidates: [{ name: 'old', reason: 'it is older' }],
  });
  await end();
});
