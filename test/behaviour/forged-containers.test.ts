import { expect, test } from 'vitest';
import { APP, begin, beginWithApp } from './support/story.ts';

const LABELS = { 'devcontainer.local_folder': '/src/app', 'devcontainer.config_file': APP.configPath };

test.each(['exited', 'running'] as const)(
  'a forged container that is %s is not taken for the one of a folder that a person asks for',
  async (state) => {
    const { world, api, only, end } = await begin({}, ({ addWorkspace, engine }) => {
      addWorkspace('/src/app');
      engine.addContainer({ name: 'forged', state, labels: LABELS, mounts: [] });
    });
    expect(await only()).toMatchObject({ level: 'seen' });
    const { started } = await api.create({ workspaceFolder: '/src/app' });
    expect(started).toBe(true);
    await world.clock.settle();
    expect(world.cli.upRequests).toMatchObject([{ mode: 'make' }]);
    const { container } = await only();
    expect(container?.name).not.toBe('forged');
    expect(world.engine.container('forged').running).toBe(state === 'running');
    expect(world.subAgentLauncher.running()).toMatchObject([{ request: { containerId: container?.id } }]);
    const { containers } = await api.list();
    expect(containers.find(({ name }) => name === 'forged')).toMatchObject({ level: 'seen' });
    expect(containers.find(({ name }) => name === 'forged')?.devcontainerId).toBeUndefined();
    await end();
  },
);

test('a forged container cannot be used to recreate what it claims to be', async () => {
  const { world, api, end } = await beginWithApp();
  world.engine.addContainer({ name: 'forged', labels: LABELS, mounts: [] });
  await world.clock.run(1_000);
  await expect(api.recreateByContainer('forged')).rejects.toMatchObject({ code: 'devcontainer-not-adopted' });
  await end();
});
