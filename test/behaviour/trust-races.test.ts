import { expect, test } from 'vitest';
import type { Finding } from '../../src/index.ts';
import { createGate } from '../../src/testing/index.ts';
import { APP, begin, beginWithApp, CONFIG } from './support/story.ts';

// Who is inside a container can write into its workspace at any moment.

const COMMAND: Finding = { kind: 'initialize-command', detail: 'curl | sh', source: './x' };
const MOUNT: Finding = { kind: 'mount', detail: '/var/run/docker.sock', source: './x' };

test('what a job has read is judged by its own verdict, not by that of the file as it is a moment later', async () => {
  const gate = createGate();
  const { world, api, only, id, containerId, end } = await beginWithApp();
  const { contents } = world.configFiles;
  Object.assign(world.configFiles, { contents: (key: typeof APP) => gate.wait().then(() => contents(key)) });
  world.configFiles.asks('/src/app', CONFIG, [COMMAND, MOUNT]);
  world.configFiles.write('/src/app', CONFIG, { image: 'x', initializeCommand: 'evil' }, { quietly: true });
  const { done } = await api.recreate(id);
  await world.clock.settle();
  world.configFiles.asks('/src/app', CONFIG, []);
  world.configFiles.write('/src/app', CONFIG, { image: 'x' });
  await world.clock.settle();
  gate.open();
  await world.clock.settle();
  expect(await done).toMatchObject({ status: 'failed' });
  expect(world.cli.calls.up).toBe(0);
  expect(await only()).toMatchObject({ status: 'running', container: { id: containerId } });
  await end();
});

test('what is taken back while the image is built does not count any more', async () => {
  const gate = createGate();
  const { world, api, only, id, end } = await beginWithApp({
    workspace: { config: { build: { dockerfile: 'Dockerfile' }, initializeCommand: 'evil' } },
    arrange: ({ cli, configFiles }) => {
      configFiles.asks('/src/app', CONFIG, [COMMAND]);
      cli.onBuild(APP, async ({ signal }) => {
        await gate.wait(signal);
        return { outcome: 'success', images: [] };
      });
    },
  });
  await api.trust(id, (await only()).verdict?.hash ?? '');
  await api.recreate(id);
  await world.clock.settle();
  await api.revokeTrust(id);
  gate.open();
  await world.clock.settle();
  expect(world.cli.upRequests).toMatchObject([{ withoutInitializeCommand: true }]);
  await end();
});

const BUILT = { build: { dockerfile: 'Dockerfile' } };

test('a build is given the configuration that was judged, and the image is what `up` is given it with', async () => {
  const { world, api, id, end } = await beginWithApp({ workspace: { config: BUILT } });
  await api.recreate(id);
  await world.clock.settle();
  expect(world.cli.buildRequests).toMatchObject([{ config: BUILT }]);
  expect(world.cli.upRequests).toMatchObject([{ config: BUILT }]);
  await end();
});

test('what comes to be asked for while a build waits for its turn is not built', async () => {
  let built = 0;
  const { world, api, only, id, containerId, end } = await beginWithApp({
    workspace: { config: BUILT },
    arrange: ({ cli }) =>
      cli.onBuild(APP, () => {
        built++;
        return { outcome: 'success', images: [] };
      }),
  });
  const gate = world.cli.hang('build');
  const { done } = await api.recreate(id);
  await world.clock.settle();
  expect(world.cli.buildRequests).toHaveLength(1);
  world.configFiles.asks('/src/app', CONFIG, [MOUNT]);
  gate.open();
  await world.clock.settle();
  expect(await done).toMatchObject({ status: 'failed', error: expect.stringContaining('changed meanwhile') });
  expect([built, world.cli.calls.up]).toEqual([0, 0]);
  expect(await only()).toMatchObject({ status: 'running', container: { id: containerId } });
  await end();
});

test('an image of files that were exchanged while it was built is not used, and nothing is stopped for it', async () => {
  const { world, api, only, id, containerId, end } = await beginWithApp({
    workspace: { config: BUILT },
    arrange: ({ cli, configFiles }) =>
      cli.onBuild(APP, () => {
        configFiles.asks('/src/app', CONFIG, [MOUNT]);
        return { outcome: 'success', images: [] };
      }),
  });
  const { done } = await api.recreate(id);
  await world.clock.settle();
  expect(await done).toMatchObject({ status: 'failed', error: expect.stringContaining('changed meanwhile') });
  expect([world.cli.calls.up, world.engine.calls.stopContainer]).toEqual([0, 0]);
  expect(await only()).toMatchObject({ status: 'running', container: { id: containerId } });
  await end();
});

test('what is taken back while an `up` waits for its turn does not count any more', async () => {
  const { world, api, only, id, containerId, end } = await beginWithApp({
    workspace: { config: { image: 'x', initializeCommand: 'evil' } },
    arrange: ({ configFiles }) => configFiles.asks('/src/app', CONFIG, [COMMAND]),
  });
  await api.trust(id, (await only()).verdict?.hash ?? '');
  const gate = world.cli.hang('up');
  const { done } = await api.recreate(id);
  await world.clock.settle();
  expect(world.cli.upRequests).toMatchObject([{ withoutInitializeCommand: false }]);
  await api.revokeTrust(id);
  gate.open();
  await world.clock.settle();
  expect(await done).toMatchObject({ status: 'failed', error: expect.stringContaining('changed meanwhile') });
  // What was exchanged already is put back.
  expect(await only()).toMatchObject({ status: 'running', container: { id: containerId } });
  await end();
});

test('what becomes untrusted while it waits for its turn is not started by itself', async () => {
  const gate = createGate();
  const wanted = (more: object): object => ({
    image: 'x',
    ...more,
    customizations: { agentcontainers: { autoStart: true } },
  });
  const options = { adopt: 'roots', roots: ['/src'], discovery: true, autoStart: true, maxUps: 1 } as const;
  const { world, api, byName, end } = await begin(options, ({ addWorkspace, cli }) => {
    for (const name of ['first', 'second']) addWorkspace(`/src/${name}`, { config: wanted({}) });
    for (const name of ['first', 'second']) {
      cli.onUp(`/src/${name}`, async (up) => {
        await up.wait(gate);
        return up.success(up.createContainer().id);
      });
    }
  });
  for (const name of ['first', 'second']) {
    const { id, verdict } = await byName(name);
    await api.trust(id, verdict?.hash ?? '');
    await world.clock.settle();
  }
  world.configFiles.asks('/src/second', CONFIG, [COMMAND]);
  world.configFiles.write('/src/second', CONFIG, wanted({ initializeCommand: 'evil' }));
  await world.clock.settle();
  gate.open();
  await world.clock.run(5_000);
  expect(await byName('first')).toMatchObject({ status: 'running' });
  expect(await byName('second')).toMatchObject({ status: 'error', trusted: false });
  expect(world.cli.calls.up).toBe(1);
  await end();
});

test('a recreate does not cut off who came while it was built, unless it is forced', async () => {
  const gate = createGate();
  const { world, api, only, id, containerId, end } = await beginWithApp({
    workspace: { config: { build: { dockerfile: 'Dockerfile' } } },
    arrange: ({ cli, engine }) => {
      engine.onExec(['sleep'], () => new Promise<number>(() => {}));
      cli.onBuild(APP, async ({ signal }) => {
        await gate.wait(signal);
        return { outcome: 'success', images: [] };
      });
    },
  });
  const { done } = await api.recreate(id);
  await world.clock.settle();
  const session = await api.exec(id, { argv: ['sleep', '100'] });
  gate.open();
  await world.clock.settle();
  expect(await done).toMatchObject({ status: 'failed', error: expect.stringContaining('busy') });
  expect(await only()).toMatchObject({
    status: 'running',
    container: { id: containerId },
    holders: [{ kind: 'exec' }],
  });
  const forced = await api.recreate(id, { force: true });
  await world.clock.settle();
  expect(await forced.done).toMatchObject({ status: 'succeeded' });
  await session.exited;
  await end();
});
