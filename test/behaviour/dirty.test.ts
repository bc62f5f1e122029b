import { expect, test } from 'vitest';
import { createGate } from '../../src/testing/index.ts';
import { APP, begin, beginWithApp, CONFIG, restarted } from './support/story.ts';

const BEFORE = { image: 'node:22', postStartCommand: 'true' };
const AFTER = { image: 'node:24', postStartCommand: 'true' };

test('an edit marks the devcontainer as dirty at once, without a pass, and is broadcast', async () => {
  const { world, api, only, end } = await beginWithApp({ workspace: { config: BEFORE } });
  const dirty: boolean[] = [];
  api.subscribe(({ devcontainers }) => dirty.push(devcontainers[0]?.dirty ?? false));
  const listings = world.engine.calls.listContainers;
  world.configFiles.write('/src/app', CONFIG, AFTER);
  await world.clock.settle();
  expect(dirty).toEqual([true]);
  expect(await only()).toMatchObject({ dirty: true, dirtyReasons: [{ input: 'image', class: 'recreate' }] });
  expect(world.engine.calls.listContainers).toBe(listings);
  await end();
});

test('a revert makes it clean again', async () => {
  const { world, only, end } = await beginWithApp({ workspace: { config: BEFORE } });
  world.configFiles.write('/src/app', CONFIG, AFTER);
  await world.clock.settle();
  expect((await only()).dirty).toBe(true);
  world.configFiles.write('/src/app', CONFIG, BEFORE);
  await world.clock.settle();
  expect(await only()).toMatchObject({ dirty: false });
  expect((await only()).dirtyReasons).toBeUndefined();
  await end();
});

test.each([
  ['comments', '// new\n{ "image": "node:22", /* why */ "postStartCommand": "true" }'],
  ['white space', '\n{"image":"node:22",\n\n\t"postStartCommand":"true"}\n'],
  ['a trailing comma', '{"image":"node:22","postStartCommand":"true",}'],
  ['the order of keys', '{"postStartCommand":"true","image":"node:22"}'],
])('%s do not count as a difference', async (_what, text) => {
  const { world, only, end } = await beginWithApp({ workspace: { config: BEFORE } });
  world.configFiles.write('/src/app', CONFIG, text);
  await world.clock.settle();
  expect((await only()).dirty).toBe(false);
  await end();
});

test.each([
  ['forwardPorts', [3000], 'live'],
  ['customizations', { vscode: {} }, 'live'],
  ['name', 'other', 'live'],
  ['postStartCommand', 'false', 'live'],
  ['postAttachCommand', 'false', 'live'],
  ['postCreateCommand', 'make', 'rerun-hook'],
  ['features', {}, 'recreate'],
  ['somethingNew', 1, 'recreate'],
  ['constructor', 1, 'recreate'],
  ['toString', 1, 'recreate'],
])('a change of %s is told with its class', async (input, value, kind) => {
  const { world, only, end } = await beginWithApp({ workspace: { config: BEFORE } });
  world.configFiles.write('/src/app', CONFIG, { ...BEFORE, [input]: value });
  await world.clock.settle();
  expect(await only()).toMatchObject({ dirty: true, dirtyReasons: [{ input, class: kind }] });
  await end();
});

test('an edit that no watch notices is found by the safety net', async () => {
  const { world, only, end } = await beginWithApp({ workspace: { config: BEFORE } });
  world.configFiles.write('/src/app', CONFIG, AFTER, { quietly: true });
  await world.clock.run(70_000);
  expect((await only()).dirty).toBe(true);
  await end();
});

test('an edit during a recreate counts: the new container is dirty', async () => {
  const gate = createGate();
  const { world, api, only, id, end } = await beginWithApp({
    workspace: { config: BEFORE },
    arrange: ({ cli }) =>
      cli.onUp(APP, async (up) => {
        await up.wait(gate);
        return up.success(up.createContainer().id);
      }),
  });
  const { done } = await api.recreate(id);
  await world.clock.settle();
  world.configFiles.write('/src/app', CONFIG, AFTER);
  await world.clock.settle();
  gate.open();
  await world.clock.settle();
  expect(await done).toMatchObject({ status: 'succeeded' });
  expect(await only()).toMatchObject({ status: 'running', dirty: true });

  world.configFiles.write('/src/app', CONFIG, BEFORE);
  await world.clock.settle();
  expect(await only()).toMatchObject({ status: 'running', dirty: false });
  await end();
});

test('a recreate makes a dirty devcontainer clean', async () => {
  const { world, api, only, id, end } = await beginWithApp({ workspace: { config: BEFORE } });
  world.configFiles.write('/src/app', CONFIG, AFTER);
  await world.clock.settle();
  const { done } = await api.recreate(id);
  await world.clock.settle();
  expect(await done).toMatchObject({ status: 'succeeded' });
  expect(await only()).toMatchObject({ status: 'running', dirty: false });
  await end();
});

test('a stop and a start leave a dirty devcontainer dirty', async () => {
  const { world, api, only, id, containerId, end } = await beginWithApp({ workspace: { config: BEFORE } });
  world.configFiles.write('/src/app', CONFIG, AFTER);
  await world.clock.settle();
  for (const command of [api.stopDevcontainer, api.startDevcontainer]) {
    const { done } = await command(id);
    await world.clock.settle();
    expect(await done).toMatchObject({ status: 'succeeded' });
    expect(await only()).toMatchObject({ dirty: true, container: { id: containerId } });
  }
  await end();
});

test('dirty survives a restart, and so does what a container was made from', async () => {
  const first = await beginWithApp({ workspace: { config: BEFORE } });
  first.world.configFiles.write('/src/app', CONFIG, AFTER);
  await first.world.clock.settle();
  const second = await restarted(first);
  expect(await second.only()).toMatchObject({ dirty: true, dirtyReasons: [{ input: 'image', class: 'recreate' }] });
  second.world.configFiles.write('/src/app', CONFIG, BEFORE);
  await second.world.clock.settle();
  expect(await second.only()).toMatchObject({ dirty: false });
  await second.end();
});

test('an edit while the daemon was down counts, a revert or a mere touch does not', async () => {
  const first = await beginWithApp({ workspace: { config: BEFORE } });
  await first.end();
  first.world.configFiles.write('/src/app', CONFIG, AFTER);
  const second = await restarted(first);
  expect((await second.only()).dirty).toBe(true);
  await second.end();
  await second.world.clock.run(5_000);
  second.world.configFiles.write('/src/app', CONFIG, BEFORE);
  const third = await restarted(second);
  expect((await third.only()).dirty).toBe(false);
  await third.end();
});

test.each([
  ['before it', -1, false],
  ['in the same moment', 0, false],
  ['after it', 1, true],
])(
  'where nobody knows what a container was made from, a file changed %s decides by its time',
  async (_when, ms, dirty) => {
    const { only, end } = await begin({}, ({ clock, engine, addWorkspace }) => {
      addWorkspace('/src/app', { config: BEFORE });
      engine.addContainer({ workspaceFolder: '/src/app', createdAt: clock.now() - ms });
    });
    expect((await only()).dirty).toBe(dirty);
    await end();
  },
);

test('a container that someone else made from the configuration as it is now is clean', async () => {
  const { world, only, containerId, afterEvent, end } = await beginWithApp({ workspace: { config: BEFORE } });
  world.configFiles.write('/src/app', CONFIG, AFTER);
  await world.clock.run(1_000);
  world.engine.remove(containerId);
  world.engine.addContainer({ workspaceFolder: '/src/app' });
  await afterEvent();
  expect(await only()).toMatchObject({ status: 'running', dirty: false });
  await end();
});

test('without a container nothing is dirty', async () => {
  const { world, only, end } = await begin({ manifest: [{ workspaceFolder: '/src/app' }] }, ({ addWorkspace }) =>
    addWorkspace('/src/app', { config: BEFORE }),
  );
  world.configFiles.write('/src/app', CONFIG, AFTER);
  await world.clock.run(70_000);
  expect(await only()).toMatchObject({ status: 'stopped', dirty: false });
  await end();
});
