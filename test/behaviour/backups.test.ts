import { expect, test } from 'vitest';
import { AgentContainersError, type StateStorage } from '../../src/index.ts';
import { createMemoryStorage } from '../../src/testing/index.ts';
import { APP, beginWithApp, tell, type AppStory } from './support/story.ts';

// The container of a compose service cannot stand beside its successor: an image and a description stand for it.

const failed = (what: string): AgentContainersError => new AgentContainersError('engine-request-failed', what);

function composeStory(
  storage: StateStorage,
  arrange: (world: AppStory['world']) => void = () => {},
): Promise<AppStory> {
  return beginWithApp({
    options: { labelSecret: 'secret', storage },
    workspace: { config: { dockerComposeFile: 'compose.yml', service: 'app' } },
    arrange,
  });
}

async function backupsOf({ world }: Pick<AppStory, 'world'>): Promise<readonly string[]> {
  const ids = await world.engine.listImages({
    labels: ['agentcontainers.backup'],
    signal: new AbortController().signal,
  });
  return ids;
}

test('a service whose successor does not come up is made again from its copy', async () => {
  const story = await composeStory(createMemoryStorage(), ({ cli }) =>
    cli.onUp(APP, (up) => up.failure('It broke.', { phase: 'create' })),
  );
  const { world, api, only, id, containerId, end } = story;
  await api.recreate(id);
  await world.clock.settle();
  const now = await only();
  expect(now).toMatchObject({ status: 'running', container: { name: 'app-1' }, agent: { status: 'running' } });
  expect(now.container?.id).not.toBe(containerId);
  expect(world.engine.containers()).toHaveLength(1);
  world.cli.upCreatesContainer(APP);
  await api.recreate(id);
  await world.clock.settle();
  expect(await only()).toMatchObject({ status: 'running' });
  await end();
});

test('a copy that could not be made into a container again is kept, over a restart too, and tried again', async () => {
  const storage = createMemoryStorage();
  const story = await composeStory(storage, ({ cli, engine }) =>
    cli.onUp(APP, (up) => {
      engine.failNext('createContainer', failed('Creating failed: the engine is away.'));
      return up.failure('It broke.', { phase: 'create' });
    }),
  );
  const { world, api } = story;
  await api.recreate(story.id);
  await world.clock.run(30_000);
  expect(world.engine.containers()).toEqual([]);
  expect(await story.only()).toMatchObject({ status: 'error', error: expect.stringContaining('Creating failed') });
  expect((await storage.load())?.entries).toMatchObject([{ intent: { isInterrupted: true, swap: { backup: {} } } }]);
  expect(await backupsOf(story)).toHaveLength(1);
  await story.end();

  const again = tell(world, { storage });
  await again.api.start();
  await world.clock.run(1_000);
  expect(world.engine.containers()).toMatchObject([{ name: 'app-1', running: true }]);
  await again.end();
});

test('no copy is removed while nobody knows which are needed', async () => {
  const story = await composeStory(createMemoryStorage());
  const { world } = story;
  const signal = new AbortController().signal;
  const labels = { 'agentcontainers.backup': 'somebody' };
  await world.engine.commitContainer(story.containerId, { labels }, signal);
  await story.end();
  const unreadable: StateStorage = { ...createMemoryStorage(), load: () => Promise.reject(new Error('EIO')) };
  const next = tell(world, { storage: unreadable });
  await next.api.start();
  await world.clock.run(1_000);
  expect(world.engine.calls.removeImage).toBe(0);
  await next.end();
});

test('a service is not removed when what is set out to do cannot be written down', async () => {
  let isFull = false;
  const memory = createMemoryStorage();
  const storage: StateStorage = {
    ...memory,
    save: (state) => (isFull ? Promise.reject(new Error('ENOSPC')) : memory.save(state)),
  };
  const { world, api, only, id, containerId, end } = await composeStory(storage);
  isFull = true;
  const { done } = await api.recreate(id);
  await world.clock.settle();
  expect(await done).toMatchObject({ status: 'failed', error: expect.stringContaining('cannot be written down') });
  expect(world.engine.containers()).toMatchObject([{ id: containerId, running: true }]);
  expect(await only()).toMatchObject({ status: 'running', container: { id: containerId } });
  await end();
});
