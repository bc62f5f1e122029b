import { expect, test } from 'vitest';
import type { AgentContainersOptions } from '../../src/index.ts';
import { createGate } from '../../src/testing/index.ts';
import { begin } from './support/story.ts';
import type { Story } from './support/story.ts';

/** The folder's container starts only when the story says so. */
async function beginWithoutContainer(options: AgentContainersOptions = {}): Promise<Story> {
  return begin(options, ({ addWorkspace }) => {
    addWorkspace('/src/app');
    addWorkspace('/src/other');
  });
}

async function appStarts({ world, afterEvent }: Story): Promise<void> {
  world.engine.addContainer({ workspaceFolder: '/src/app' });
  await afterEvent();
}

test('a registration whose answer is lost does not change the name, and leaves one record', async () => {
  const { world, only, end } = await begin({}, ({ addWorkspace, engine, subAgentClient }) => {
    addWorkspace('/src/app');
    engine.addContainer({ workspaceFolder: '/src/app' });
    subAgentClient.hang('create', { at: 'answer' });
  });
  const [orphan] = world.subAgentClient.records;
  expect(orphan).toMatchObject({ name: 'app' });
  // Later ones are answered.
  world.subAgentClient.hang('create').open();
  await world.clock.run(20_000);
  expect(world.subAgentClient.records).toMatchObject([{ name: 'app' }]);
  expect(world.subAgentClient.deleted).toEqual([orphan?.id]);
  const [record] = world.subAgentClient.records;
  expect(await only()).toMatchObject({ name: 'app', agent: { id: record?.id, name: 'app', status: 'running' } });
  await end();
});

test('the clean-up at the start waits for registrations before it deletes what it does not know', async () => {
  const list = createGate();
  let create = createGate();
  const { world, only, end } = await begin({}, ({ addWorkspace, engine, subAgentClient }) => {
    addWorkspace('/src/app');
    engine.addContainer({ workspaceFolder: '/src/app' });
    const records = subAgentClient.list;
    subAgentClient.list = (signal) => list.wait(signal).then(() => records(signal));
    create = subAgentClient.hang('create', { at: 'answer' });
  });
  // The record of the app is made and in the list, but nobody here knows yet that it is ours.
  expect(create.waiting).toBe(1);
  world.subAgentClient.addRecord({ id: 'left', name: 'left' });
  list.open();
  await world.clock.settle();
  expect(world.subAgentClient.records).toMatchObject([{ name: 'app' }, { name: 'left' }]);

  create.open();
  await world.clock.settle();
  expect(world.subAgentClient.deleted).toEqual(['left']);
  const [record] = world.subAgentClient.records;
  expect(await only()).toMatchObject({ name: 'app', agent: { id: record?.id, status: 'running' } });
  await end();
});

test('a registration that is never answered does not keep the clean-up at the start from its work', async () => {
  const { world, only, end } = await begin({}, ({ addWorkspace, engine, subAgentClient }) => {
    addWorkspace('/src/app');
    engine.addContainer({ workspaceFolder: '/src/app' });
    subAgentClient.addRecord({ id: 'left', name: 'left' });
    const list = subAgentClient.hang('list');
    const create = subAgentClient.hang('create', { at: 'answer' });
    void create.reached().then(() => list.open());
  });
  // Later ones are answered.
  world.subAgentClient.hang('create').open();
  await world.clock.run(20_000);
  expect(world.subAgentClient.deleted).toContain('left');
  expect(world.subAgentClient.records).toMatchObject([{ name: 'app' }]);
  expect(await only()).toMatchObject({ name: 'app', agent: { status: 'running' } });
  await end();
});

test('a name whose holder is a record that nobody knows of is taken over from it', async () => {
  const story = await beginWithoutContainer();
  const { world, only, end } = story;
  world.subAgentClient.addRecord({ id: 'orphan', name: 'app' });
  await appStarts(story);
  expect(world.subAgentClient.deleted).toEqual(['orphan']);
  expect(world.subAgentClient.records).toMatchObject([{ name: 'app' }]);
  expect(await only()).toMatchObject({ name: 'app', agent: { name: 'app', status: 'running' } });
  await end();
});

test('a name whose holder is not in our list is left to it: entry and record get a longer one', async () => {
  const story = await beginWithoutContainer();
  const { world, only, end } = story;
  world.subAgentClient.addRecord({ id: 'foreign', name: 'app' });
  world.subAgentClient.list = async () => [];
  await appStarts(story);
  expect(world.subAgentClient.deleted).toEqual([]);
  expect(world.subAgentClient.records).toMatchObject([{ id: 'foreign', name: 'app' }, { name: 'src-app' }]);
  expect(await only()).toMatchObject({ name: 'src-app', agent: { name: 'src-app', status: 'running' } });
  await end();
  expect(world.subAgentClient.records.map(({ id }) => id)).toEqual(['foreign']);
});

test('a name whose holder is a pre-assigned record is left to it', async () => {
  const story = await beginWithoutContainer({ manifest: [{ workspaceFolder: '/src/other', subAgentId: 'kept' }] });
  const { world, byName, end } = story;
  world.subAgentClient.addRecord({ id: 'kept', name: 'app' });
  await appStarts(story);
  expect(world.subAgentClient.deleted).toEqual([]);
  expect(await byName('src-app')).toMatchObject({ agent: { name: 'src-app', status: 'running' } });
  await end();
});
