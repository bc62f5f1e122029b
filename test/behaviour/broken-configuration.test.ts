import { expect, test } from 'vitest';
import { beginWithApp, CONFIG } from './support/story.ts';

const BEFORE = { image: 'node:22', postStartCommand: 'true' };
const AFTER = { image: 'node:24', postStartCommand: 'true' };

test.each([
  ['clean', BEFORE, false],
  ['dirty', AFTER, true],
])('a half-written file keeps a %s devcontainer as it is and shows where it breaks', async (_what, config, dirty) => {
  const { world, api, only, end } = await beginWithApp({ workspace: { config: BEFORE } });
  world.configFiles.write('/src/app', CONFIG, config);
  await world.clock.settle();
  const seen: boolean[] = [];
  api.subscribe(({ devcontainers }) => seen.push(devcontainers[0]?.dirty ?? false));

  world.configFiles.write('/src/app', CONFIG, '{\n  "image": "node:23",\n');
  await world.clock.settle();
  expect(await only()).toMatchObject({ status: 'running', dirty, configError: { line: 3 } });
  await api.refresh();
  expect(await only()).toMatchObject({ status: 'running', dirty, agent: { status: 'running' } });

  world.configFiles.write('/src/app', CONFIG, config);
  await world.clock.settle();
  expect((await only()).configError).toBeUndefined();
  expect(new Set(seen)).toEqual(new Set([dirty]));
  await end();
});

test('nothing is made from a broken configuration', async () => {
  const { world, api, only, id, containerId, end } = await beginWithApp({ workspace: { config: BEFORE } });
  world.configFiles.breakAt('/src/app', CONFIG, { message: 'ValueExpected', line: 4, column: 7 });
  await world.clock.settle();
  const refused = { code: 'config-invalid', details: { line: 4, column: 7 } };
  await expect(api.recreate(id)).rejects.toMatchObject(refused);
  await expect(api.restartDevcontainer(id)).rejects.toMatchObject(refused);
  await expect(api.create({ workspaceFolder: '/src/app' })).rejects.toMatchObject(refused);
  expect(world.cli.calls.up).toBe(0);
  expect(await only()).toMatchObject({ status: 'running', container: { id: containerId } });

  // It can still be stopped.
  const { done } = await api.stopDevcontainer(id);
  await world.clock.settle();
  expect(await done).toMatchObject({ status: 'succeeded' });
  await end();
});

test('a configuration that breaks unnoticed stops a recreate before the container is touched', async () => {
  const { world, api, only, id, containerId, end } = await beginWithApp({ workspace: { config: BEFORE } });
  world.configFiles.breakAt('/src/app', CONFIG, {}, { quietly: true });
  const { done } = await api.recreate(id);
  await world.clock.settle();
  expect(await done).toMatchObject({ status: 'failed', error: expect.stringContaining('devcontainer.json:1:1') });
  expect(world.cli.calls.up).toBe(0);
  expect(await only()).toMatchObject({
    status: 'running',
    container: { id: containerId },
    agent: { status: 'running' },
  });
  await end();
});

test('a configuration that is deleted and written again is compared as before', async () => {
  const { world, only, end } = await beginWithApp({ workspace: { config: BEFORE } });
  world.configFiles.remove('/src/app', CONFIG);
  await world.clock.settle();
  expect((await only()).dirty).toBe(false);
  world.configFiles.write('/src/app', CONFIG, AFTER);
  await world.clock.settle();
  expect((await only()).dirty).toBe(true);
  world.configFiles.remove('/src/app', CONFIG);
  await world.clock.settle();
  world.configFiles.write('/src/app', CONFIG, BEFORE);
  await world.clock.settle();
  expect((await only()).dirty).toBe(false);
  await end();
});

test('a configuration that is deleted is said to be, and nothing is made without it', async () => {
  const { world, api, only, id, containerId, end } = await beginWithApp({ workspace: { config: BEFORE } });
  world.configFiles.remove('/src/app', CONFIG);
  await world.clock.settle();
  expect(await only()).toMatchObject({
    status: 'running',
    dirty: false,
    configError: { message: 'There is no such file.', line: 1, column: 1 },
    container: { id: containerId },
    agent: { status: 'running' },
  });
  const refused = { code: 'config-invalid', details: { detail: expect.stringContaining('There is no such file.') } };
  await expect(api.recreate(id)).rejects.toMatchObject(refused);
  await expect(api.restartDevcontainer(id)).rejects.toMatchObject(refused);
  expect(world.cli.calls.up).toBe(0);

  world.configFiles.write('/src/app', CONFIG, BEFORE);
  await world.clock.settle();
  expect((await only()).configError).toBeUndefined();
  const { done } = await api.recreate(id);
  await world.clock.settle();
  expect(await done).toMatchObject({ status: 'succeeded' });
  await end();
});
