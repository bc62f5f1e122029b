import { expect, test } from 'vitest';
import type { AgentContainersOptions } from '../../src/index.ts';
import type { TestWorld } from '../../src/testing/index.ts';
import { begin, beginWithApp, CONFIG } from './support/story.ts';

/** Everything that must never be done to a container that is only seen, or because of it. */
function touches({ engine, cli, subAgentLauncher, subAgentClient, configFiles, watcher }: TestWorld): object {
  const { exec, putArchive, statPath, containerLogTail, startContainer, stopContainer, removeContainer } = engine.calls;
  return {
    engine: { exec, putArchive, statPath, containerLogTail, startContainer, stopContainer, removeContainer },
    cli: { ...cli.calls },
    launcher: { ...subAgentLauncher.calls },
    created: subAgentClient.calls.create,
    read: configFiles.calls.read,
    watched: watcher.directories,
  };
}

const NOTHING = {
  engine: {
    exec: 0,
    putArchive: 0,
    statPath: 0,
    containerLogTail: 0,
    startContainer: 0,
    stopContainer: 0,
    removeContainer: 0,
  },
  cli: { version: 0, build: 0, up: 0, readConfiguration: 0, endProcess: 0 },
  launcher: { readOnlyMount: 0, deliver: 0, launch: 0 },
  created: 0,
  read: 0,
  watched: [],
};

test('a container that is only seen is listed and never touched, whatever happens to it', async () => {
  const { world, api, only, id, containerId, afterEvent, end } = await beginWithApp({ options: { adopt: 'none' } });
  expect(await only()).toMatchObject({ level: 'seen', status: 'running', dirty: false });
  expect((await only()).agent).toBeUndefined();
  const happenings = [
    () => world.engine.restart(containerId),
    () => world.engine.pause(containerId),
    () => world.engine.unpause(containerId),
    () => world.engine.crash(containerId),
    () => world.engine.start(containerId),
    () => world.configFiles.write('/src/app', CONFIG, { image: 'other' }),
  ];
  for (const happen of happenings) {
    happen();
    await afterEvent();
  }
  await world.clock.run(10 * 60_000);
  await api.refresh();
  expect(await api.get(id)).toMatchObject({ level: 'seen', status: 'running', dirty: false });
  expect(touches(world)).toEqual(NOTHING);

  world.engine.remove(containerId);
  await afterEvent();
  expect((await api.list()).devcontainers).toEqual([]);
  await end();
});

test('no command works on a devcontainer that is only seen', async () => {
  const { world, api, id, containerId, end } = await beginWithApp({ options: { adopt: 'none' } });
  const refused = { code: 'devcontainer-not-adopted' };
  await expect(api.recreate(id)).rejects.toMatchObject(refused);
  await expect(api.recreateByContainer(containerId)).rejects.toMatchObject(refused);
  await expect(api.startDevcontainer(id)).rejects.toMatchObject(refused);
  await expect(api.stopDevcontainer(id)).rejects.toMatchObject(refused);
  await expect(api.restartDevcontainer(id)).rejects.toMatchObject(refused);
  await expect(api.remove(id)).rejects.toMatchObject(refused);
  await expect(api.exec(id, { argv: ['true'] })).rejects.toMatchObject(refused);
  expect(touches(world)).toEqual(NOTHING);
  await end();
});

test.each<[string, AgentContainersOptions, Record<string, string>]>([
  ['all', {}, { '/src/app': 'adopted', '/src-old/app': 'adopted', '/other/app': 'adopted' }],
  [
    'roots',
    { adopt: 'roots', roots: ['/src/'] },
    { '/src/app': 'adopted', '/src-old/app': 'seen', '/other/app': 'seen' },
  ],
  [
    'roots, through a symlink,',
    { adopt: 'roots', roots: ['/link'] },
    { '/src/app': 'adopted', '/src-old/app': 'seen', '/other/app': 'seen' },
  ],
  ['none', { adopt: 'none', roots: ['/src'] }, { '/src/app': 'seen', '/src-old/app': 'seen', '/other/app': 'seen' }],
])('with adopt: %s the level follows from the folder', async (_what, options, levels) => {
  const { world, api, end } = await begin(options, ({ engine, addWorkspace, configFiles }) => {
    configFiles.alias('/link', '/src');
    for (const folder of Object.keys(levels)) {
      addWorkspace(folder);
      engine.addContainer({ workspaceFolder: folder });
    }
  });
  const { devcontainers } = await api.list();
  expect(Object.fromEntries(devcontainers.map((one) => [one.workspaceFolder, one.level]))).toEqual(levels);
  const adopted = Object.values(levels).filter((level) => level === 'adopted');
  expect(world.subAgentLauncher.running()).toHaveLength(adopted.length);
  await end();
});

test.each([
  ['without a mount', []],
  ['with a mount of another folder', [{ type: 'bind', source: '/home/x', destination: '/w', writable: true }]],
  ['with a volume in place of the folder', [{ type: 'volume', source: 'v', destination: '/w', writable: true }]],
])('a label %s proves nothing: such a container is only seen', async (_what, mounts) => {
  const { world, only, end } = await beginWithApp({ container: { mounts } });
  expect(await only()).toMatchObject({ level: 'seen', workspaceFolder: '/src/app', status: 'running' });
  expect(touches(world)).toEqual(NOTHING);
  await end();
});

test('a mount of a folder above proves the label only where that is the git working tree, as the CLI mounts it', async () => {
  const mounts = [{ type: 'bind', source: '/src', destination: '/workspaces', writable: true }];
  for (const isWorkingTree of [false, true]) {
    const arrange = ({ configFiles }: TestWorld): void => {
      if (isWorkingTree) configFiles.addGitRoot('/src');
    };
    const { only, end } = await beginWithApp({ container: { mounts }, arrange });
    expect(await only()).toMatchObject(
      isWorkingTree ? { level: 'adopted', agent: { status: 'running' } } : { level: 'seen' },
    );
    await end();
  }
});

test('a container without proof does not stand for a devcontainer that is adopted', async () => {
  const { world, only, afterEvent, containerId, end } = await beginWithApp();
  world.engine.stop(containerId);
  world.engine.addContainer({ workspaceFolder: '/src/app', name: 'impostor', mounts: [] });
  await afterEvent();
  expect(await only()).toMatchObject({ status: 'stopped', container: { id: containerId } });
  expect(world.subAgentLauncher.running()).toEqual([]);
  await end();
});

test('who asks for a folder adopts it, and a container that we made is managed', async () => {
  const { world, api, only, id, containerId, afterEvent, end } = await beginWithApp({ options: { adopt: 'none' } });
  expect(await api.get(id)).toMatchObject({ level: 'seen' });

  // Its container runs already, so there is nothing to make; from now on it is ours to care for.
  expect(await api.create({ workspaceFolder: '/src/app' })).toMatchObject({ started: false });
  await api.refresh();
  expect(await only()).toMatchObject({ id, level: 'adopted', container: { id: containerId } });
  expect(world.subAgentLauncher.running(containerId)).toHaveLength(1);

  const { done } = await api.recreate(id);
  await afterEvent();
  expect(await done).toMatchObject({ status: 'succeeded' });
  expect(await only()).toMatchObject({ id, level: 'managed', status: 'running' });
  await end();
});
