import { expect, test } from 'vitest';
import { beginWithApp, COMPOSE, projectLabels } from './support/story.ts';

const ANONYMOUS = 'a'.repeat(64);
const PROJECT = { 'com.docker.compose.project': 'app_devcontainer' };
const MOUNTS = [
  { type: 'bind', source: '/src/app', destination: '/workspaces/app', writable: true },
  { type: 'volume', source: ANONYMOUS, destination: '/cache', writable: true },
  { type: 'volume', source: 'app_data', destination: '/data', writable: true },
];

function composeStory() {
  return beginWithApp({
    workspace: { config: COMPOSE },
    container: { labels: projectLabels('app'), mounts: MOUNTS },
    arrange: ({ engine }) => {
      engine.addContainer({ name: 'db', labels: projectLabels('db') });
      engine.addNetwork('app_default', PROJECT);
      engine.addVolume('app_data', PROJECT);
      engine.addVolume('shared', {});
    },
  });
}

test.each([
  ['none', []],
  ['anonymous', [ANONYMOUS]],
  ['named', [ANONYMOUS, 'app_data']],
] as const)(
  'a plan with the volumes option %s names what would go, and a removal does just that',
  async (volumes, gone) => {
    const { world, api, id, end } = await composeStory();
    const before = { ...world.engine.calls };
    const plan = await api.planRemoval(id, { volumes });
    expect(plan).toEqual({ containers: ['app-1', 'db'], volumes: gone, networks: ['app_default'], entryGoes: true });
    expect(world.engine.calls).toMatchObject({
      stopContainer: before.stopContainer,
      removeContainer: before.removeContainer,
      removeVolume: before.removeVolume,
    });
    await api.remove(id, { volumes });
    expect(world.engine.containers()).toEqual([]);
    expect(world.engine.networks).toEqual([]);
    const left = ['app_data', ANONYMOUS, 'shared'].filter((name) => !(gone as readonly string[]).includes(name));
    expect(world.engine.volumes.toSorted()).toEqual(left.toSorted());
    await end();
  },
);

test('what is only seen is not planned for either, nor what is owned by a job', async () => {
  const seen = await beginWithApp({ options: { adopt: 'none' } });
  await expect(seen.api.planRemoval(seen.id)).rejects.toMatchObject({ code: 'devcontainer-not-adopted' });
  await seen.end();
  const { world, api, id, end } = await beginWithApp();
  const gate = world.cli.hang('up');
  await api.recreate(id);
  await world.clock.settle();
  await expect(api.planRemoval(id)).rejects.toMatchObject({ code: 'devcontainer-transitioning' });
  gate.open();
  await world.clock.settle();
  expect(await api.planRemoval(id)).toMatchObject({ entryGoes: true });
  await expect(api.planRemoval('nobody')).rejects.toMatchObject({ code: 'devcontainer-not-found' });
  await end();
});
