import { describe, expect, test } from 'vitest';
import { createGate, type Gate, type TestWorld } from '../../src/testing/index.ts';
import { APP, beginWithApp, CONFIG, restarted, type AppStory } from './support/story.ts';

const BUILT = { build: { dockerfile: 'Dockerfile' } };
const DOCKERFILE = './Dockerfile';
const UNKNOWN = { dirty: true, dirtyReasons: [{ input: DOCKERFILE, class: 'recreate' }] };

/** Nobody notices it by a watch. */
const write = ({ configFiles }: TestWorld, text: string | undefined): void =>
  configFiles.addInput('/src/app', CONFIG, DOCKERFILE, text, { quietly: true });

/** A story of a Dockerfile that says `one`; `script` plays builds and ups after the first look. */
function beginBuilt(script: (world: TestWorld) => void): Promise<AppStory> {
  return beginWithApp({
    workspace: { config: BUILT },
    arrange(world) {
      write(world, 'FROM one');
      script(world);
    },
  });
}

async function recreate({ api, world, id }: AppStory): Promise<void> {
  const { done } = await api.recreate(id);
  await world.clock.settle();
  expect(await done).toMatchObject({ status: 'succeeded' });
}

/** Once. */
function once(work: () => void): () => void {
  let done = false;
  return () => {
    if (!done) work();
    done = true;
  };
}

test('without a change in between a new container is clean', async () => {
  const story = await beginBuilt(() => {});
  await recreate(story);
  expect(await story.only()).toMatchObject({ status: 'running', dirty: false });
  await story.end();
});

describe('a file that is changed and changed back before the container runs may be in it as it was in between: dirty', () => {
  test.each([
    [
      'while the image is built',
      (world: TestWorld, change: () => void) =>
        world.cli.onBuild(APP, () => {
          change();
          return { outcome: 'success', images: ['image'] };
        }),
    ],
    [
      'while the container is made',
      (world: TestWorld, change: () => void) =>
        world.cli.onUp(APP, (up) => {
          change();
          return up.success(up.createContainer().id);
        }),
    ],
  ])('%s', async (_when, arrange) => {
    const story = await beginBuilt((world) => {
      const change = once(() => {
        write(world, 'FROM two');
        write(world, 'FROM one');
      });
      arrange(world, change);
    });
    await recreate(story);
    expect(await story.only()).toMatchObject({ status: 'running', ...UNKNOWN });
    // What it was is not known, so that there is nothing to compare with.
    expect(await story.api.diff(story.id)).toEqual([
      { input: DOCKERFILE, class: 'recreate', before: undefined, after: 'FROM one' },
    ]);
    const next = await restarted(story);
    expect(await next.only()).toMatchObject(UNKNOWN);
    await recreate({ ...story, ...next });
    expect(await next.only()).toMatchObject({ dirty: false });
    await next.end();
  });
});

test('a container does not count as ready before it is known what was written', async () => {
  let looking: Gate | undefined;
  const hooks = createGate();
  const story = await beginBuilt((world) =>
    world.cli.onUp(APP, async (up) => {
      write(world, 'FROM two');
      write(world, 'FROM one');
      looking = world.configFiles.hang('read');
      const { id } = up.createContainer();
      up.ready();
      await up.wait(hooks);
      return up.success(id);
    }),
  );
  const { api, world, id } = story;
  const { done } = await api.recreate(id);
  await world.clock.run(1_000);
  expect(await story.only()).toMatchObject({ status: 'starting' });
  looking?.open();
  await world.clock.settle();
  expect(await done).toMatchObject({ status: 'succeeded' });
  expect(await story.only()).toMatchObject({ status: 'running', ...UNKNOWN });
  hooks.open();
  await world.clock.settle();
  expect(await story.only()).toMatchObject({ status: 'running', ...UNKNOWN });
  await story.end();
});

test('a file that is changed before the container runs stays a reason when it is changed back later', async () => {
  const story = await beginBuilt((world) => {
    const change = once(() => write(world, 'FROM two'));
    world.cli.onBuild(APP, () => {
      change();
      return { outcome: 'success', images: ['image'] };
    });
  });
  await recreate(story);
  expect(await story.only()).toMatchObject(UNKNOWN);
  story.world.configFiles.addInput('/src/app', CONFIG, DOCKERFILE, 'FROM one');
  await story.world.clock.settle();
  expect(await story.only()).toMatchObject(UNKNOWN);
  await recreate(story);
  expect(await story.only()).toMatchObject({ dirty: false });
  await story.end();
});

test.each([
  ['comes', undefined],
  ['goes', 'FROM other'],
])('a file that %s in between counts too', async (_what, text) => {
  const OTHER = './compose.yaml';
  const put = ({ configFiles }: TestWorld, now: string | undefined): void =>
    configFiles.addInput('/src/app', CONFIG, OTHER, now, { quietly: true });
  const story = await beginBuilt((world) => {
    put(world, text);
    world.cli.onBuild(APP, () => {
      put(world, text === undefined ? 'FROM other' : undefined);
      return { outcome: 'success', images: ['image'] };
    });
  });
  await recreate(story);
  put(story.world, text);
  await story.world.clock.run(70_000);
  expect(await story.only()).toMatchObject({ dirty: true, dirtyReasons: [{ input: OTHER, class: 'recreate' }] });
  await story.end();
});

test('what hooks of the new container write is a change like any other, and can be undone', async () => {
  const story = await beginBuilt((world) =>
    world.cli.onUp(APP, async (up) => {
      const { id } = up.createContainer();
      await world.clock.settle();
      write(world, 'FROM two');
      return up.success(id);
    }),
  );
  const { api, world, id } = story;
  const { done } = await api.recreate(id);
  await world.clock.run(70_000);
  await done;
  expect(await story.only()).toMatchObject({ status: 'running', dirty: true });
  world.configFiles.addInput('/src/app', CONFIG, DOCKERFILE, 'FROM one');
  await world.clock.settle();
  expect(await story.only()).toMatchObject({ dirty: false });
  await story.end();
});

test('when nobody can tell what was written, no file is known', async () => {
  const story = await beginBuilt((world) =>
    world.cli.onUp(APP, (up) => {
      world.configFiles.failNext('read', new Error('gone'));
      return up.success(up.createContainer().id);
    }),
  );
  await recreate(story);
  expect(await story.only()).toMatchObject({ status: 'running', ...UNKNOWN });
  await story.end();
});

test('a base image that is another one after the build may be either: dirty', async () => {
  const story = await beginWithApp({
    workspace: { config: { image: 'base:1', features: { 'some/feature': {} } } },
    arrange(world) {
      world.engine.addImage('base:1', { id: 'sha256:one' });
      world.cli.onBuild(APP, () => {
        world.engine.addImage('base:1', { id: 'sha256:two' });
        return { outcome: 'success', images: ['image'] };
      });
    },
  });
  await recreate(story);
  expect(await story.only()).toMatchObject({ dirty: true, dirtyReasons: [{ input: 'image base:1' }] });
  await recreate(story);
  expect(await story.only()).toMatchObject({ dirty: false });
  await story.end();
});
