import { expect, test } from 'vitest';
import type { Finding } from '../../src/index.ts';
import { APP, begin, beginWithApp, CONFIG, restarted } from './support/story.ts';

const MOUNT: Finding = { kind: 'mount', detail: '/var/run/docker.sock', source: './.devcontainer/devcontainer.json' };
const COMMAND: Finding = {
  kind: 'initialize-command',
  detail: 'curl | sh',
  source: './.devcontainer/devcontainer.json',
};

test('what can reach the host is refused with the list, until a person accepts exactly that', async () => {
  const { world, api, only, id, end } = await beginWithApp({
    arrange: ({ configFiles }) => configFiles.asks('/src/app', CONFIG, [MOUNT]),
  });
  const { verdict, trusted } = await only();
  expect(trusted).toBe(false);
  expect(verdict?.findings).toEqual([MOUNT]);
  const refused = {
    code: 'devcontainer-not-trusted',
    message: 'Devcontainer is not trusted',
    details: { findings: [MOUNT], hash: verdict?.hash, detail: expect.stringContaining('agentcontainers trust app') },
  };
  await expect(api.recreate(id)).rejects.toMatchObject(refused);
  await expect(api.trust(id, 'something else')).rejects.toMatchObject({ code: 'verdict-changed' });
  await api.trust(id, verdict?.hash ?? '');
  expect(await only()).toMatchObject({ trusted: true, trust: { hash: verdict?.hash, findings: [MOUNT] } });
  const { done } = await api.recreate(id);
  await world.clock.settle();
  expect(await done).toMatchObject({ status: 'succeeded' });

  // Another finding asks again; the earlier state of the file is accepted still.
  world.configFiles.asks('/src/app', CONFIG, [MOUNT, COMMAND]);
  world.configFiles.write('/src/app', CONFIG, { image: 'other' });
  await world.clock.settle();
  expect(await only()).toMatchObject({ trusted: false, trust: { findings: [MOUNT] } });
  await expect(api.recreate(id)).rejects.toMatchObject({ code: 'devcontainer-not-trusted' });
  world.configFiles.asks('/src/app', CONFIG, [MOUNT]);
  world.configFiles.write('/src/app', CONFIG, { image: 'another' });
  await world.clock.settle();
  expect(await only()).toMatchObject({ trusted: true });
  await api.revokeTrust(id);
  expect(await only()).toMatchObject({ trusted: false });
  await end();
});

test('a create of what can reach the host is refused before anything is built', async () => {
  const { world, api, only, end } = await begin({}, ({ addWorkspace, configFiles }) => {
    addWorkspace('/src/app');
    configFiles.asks('/src/app', CONFIG, [MOUNT]);
  });
  await expect(api.create({ workspaceFolder: '/src/app' })).rejects.toMatchObject({ code: 'devcontainer-not-trusted' });
  await world.clock.settle();
  expect(world.cli.calls).toMatchObject({ build: 0, up: 0 });
  // It is adopted, so that it can be looked at and accepted.
  const { id, verdict } = await only();
  await api.trust(id, verdict?.hash ?? '');
  await api.create({ workspaceFolder: '/src/app' });
  await world.clock.settle();
  expect(await only()).toMatchObject({ status: 'running', trusted: true });
  await end();
});

test('the initializeCommand alone is left out as long as nobody has accepted it', async () => {
  const { world, api, only, id, end } = await beginWithApp({
    arrange: ({ configFiles }) => configFiles.asks('/src/app', CONFIG, [COMMAND]),
  });
  await api.recreate(id);
  await world.clock.settle();
  await api.restartDevcontainer(id);
  await world.clock.settle();
  expect(world.cli.upRequests.map(({ withoutInitializeCommand }) => withoutInitializeCommand)).toEqual([true, true]);
  await api.trust(id, (await only()).verdict?.hash ?? '');
  await api.recreate(id);
  await world.clock.settle();
  expect(world.cli.upRequests.at(-1)).toMatchObject({ withoutInitializeCommand: false });
  await end();
});

test('a container that is there is started and stopped without trust, and without the initializeCommand', async () => {
  const { world, api, only, id, end } = await beginWithApp({
    arrange: ({ configFiles }) => configFiles.asks('/src/app', CONFIG, [MOUNT, COMMAND]),
  });
  await api.stopDevcontainer(id);
  await world.clock.settle();
  await api.startDevcontainer(id);
  await world.clock.settle();
  expect(await only()).toMatchObject({ status: 'running', trusted: false });
  expect(world.cli.upRequests).toMatchObject([{ mode: 'find', withoutInitializeCommand: true }]);
  await end();
});

test('an image that asks for more than was accepted is refused between build and up; the old container stays', async () => {
  const privilege: Finding = { kind: 'privilege', detail: 'privileged', source: 'image vsc-app' };
  const { world, api, only, id, containerId, end } = await beginWithApp({
    workspace: { config: { build: { dockerfile: 'Dockerfile' } } },
    arrange: ({ cli, configFiles, engine }) => {
      engine.addImage('vsc-app');
      cli.onBuild(APP, () => ({ outcome: 'success', images: ['vsc-app'] }));
      configFiles.imageAsks('vsc-app', [privilege]);
    },
  });
  expect((await only()).trusted).toBe(true);
  const { done } = await api.recreate(id);
  await world.clock.settle();
  expect(await done).toMatchObject({ status: 'failed' });
  const refused = await only();
  expect(refused).toMatchObject({ status: 'running', trusted: false, container: { id: containerId } });
  expect(refused.verdict?.findings).toEqual([privilege]);
  expect(world.cli.calls.up).toBe(0);

  await api.trust(id, refused.verdict?.hash ?? '');
  const again = await api.recreate(id);
  await world.clock.settle();
  expect(await again.done).toMatchObject({ status: 'succeeded' });
  expect(await only()).toMatchObject({ trusted: true });
  await end();
});

test('trust survives a restart, and so does what the image asks for', async () => {
  const story = await beginWithApp({
    arrange: ({ configFiles }) => configFiles.asks('/src/app', CONFIG, [MOUNT]),
  });
  await story.api.trust(story.id, (await story.only()).verdict?.hash ?? '');
  const again = await restarted(story);
  expect(await again.only()).toMatchObject({ trusted: true, trust: { findings: [MOUNT] } });
  await again.end();
});

test('an embedder that knows every configuration can do without', async () => {
  const { world, api, only, id, end } = await beginWithApp({
    options: { trust: 'all' },
    arrange: ({ configFiles }) => configFiles.asks('/src/app', CONFIG, [MOUNT]),
  });
  expect(await only()).toMatchObject({ trusted: true });
  const { done } = await api.recreate(id);
  await world.clock.settle();
  expect(await done).toMatchObject({ status: 'succeeded' });
  await end();
});

test('what is only seen cannot be trusted', async () => {
  const { api, only, end } = await beginWithApp({ options: { adopt: 'none' } });
  await expect(api.trust((await only()).id, 'x')).rejects.toMatchObject({ code: 'devcontainer-not-adopted' });
  await end();
});

test('what is written into the files while the old container is stopped is not made, and the old one is put back', async () => {
  const { world, api, only, id, containerId, end } = await beginWithApp();
  const stopping = world.engine.hang('stopContainer');
  const { done } = await api.recreate(id);
  await stopping.reached();
  // Who is inside the container waits for this moment.
  world.configFiles.asks('/src/app', CONFIG, [MOUNT]);
  stopping.open();
  await world.clock.settle();
  expect(await done).toMatchObject({ status: 'failed', error: expect.stringContaining('was changed meanwhile') });
  expect(await only()).toMatchObject({ status: 'running', container: { id: containerId, name: 'app-1' } });
  // Nothing was made that would have had to go again.
  expect([world.engine.containers().length, world.engine.calls.removeContainer]).toEqual([1, 0]);
  await end();
});

test('the CLI makes a container from what was judged, and does not read the file again', async () => {
  const { world, api, id, end } = await beginWithApp({ workspace: { config: { image: 'judged' } } });
  await api.recreate(id);
  await world.clock.settle();
  expect(world.cli.upRequests).toMatchObject([{ config: { image: 'judged' } }]);
  await end();
});

test('a start does not run the CLI while another container carries the labels, which would be started in its place', async () => {
  const { world, api, only, id, containerId, end } = await beginWithApp({ container: { state: 'exited' } });
  const { labels } = world.engine.container(containerId);
  world.engine.addContainer({ name: 'forged', labels, mounts: [] });
  await world.clock.run(1_000);
  const { done } = await api.startDevcontainer(id);
  await world.clock.settle();
  expect(await done).toMatchObject({ status: 'failed', error: expect.stringContaining('Remove the container forged') });
  expect(world.cli.calls.up).toBe(0);
  world.engine.remove('forged');
  await world.clock.run(1_000);
  await api.startDevcontainer(id);
  await world.clock.settle();
  expect(await only()).toMatchObject({ status: 'running', container: { id: containerId } });
  await end();
});
