import { expect, test } from 'vitest';
import { AgentContainersError } from '../../src/index.ts';
import { createGate } from '../../src/testing/index.ts';
import type { TestWorld } from '../../src/testing/index.ts';
import { begin, beginWithApp } from './support/story.ts';

test('a record that cannot be deleted does not keep a close from waiting for the others', async () => {
  const { world, api, end } = await begin({}, ({ addWorkspace, engine }) => {
    for (const name of ['a', 'b']) {
      addWorkspace(`/src/${name}`);
      engine.addContainer({ workspaceFolder: `/src/${name}`, name });
    }
  });
  expect(world.subAgentClient.records).toHaveLength(2);
  const [refused] = world.subAgentClient.records;
  const answer = createGate();
  const unregister = world.subAgentClient.delete;
  world.subAgentClient.delete = async (recordId, signal) => {
    if (recordId === refused?.id) throw new AgentContainersError('control-plane-refused', 'Refused.');
    await answer.wait(signal);
    await unregister(recordId, signal);
  };
  let closed = false;
  const closing = api.close().then(() => (closed = true));
  await answer.reached();
  await world.clock.settle();
  expect(closed).toBe(false);
  answer.open();
  await closing;
  expect(world.subAgentClient.records).toEqual([refused]);
  await end();
});

test.each<[string, string, (world: TestWorld) => void]>([
  ['a watcher', 'watcher', ({ watcher }) => void (watcher.close = never)],
  ['an engine client', 'engine', ({ engine }) => void (engine.close = never)],
  ['a storage', 'state', ({ storage }) => void (storage.save = never)],
])('%s that never ends holds up a close for 15 s', async (_what, step, arrange) => {
  const { world, api, end } = await beginWithApp();
  arrange(world);
  let closed = false;
  const closing = api.close().then(() => (closed = true));
  await world.clock.run(14_999);
  expect(closed).toBe(false);
  await world.clock.run(1);
  expect(closed).toBe(true);
  await closing;
  expect(world.logger.messages('error')).toEqual([
    expect.stringMatching(new RegExp(`^Closing: ${step} failed: .*no answer within 15 s`)),
  ]);
  await end();
});

test('a sub-agent that does not end is left behind after 15 s, and the rest of the close is done', async () => {
  const { world, api, end } = await beginWithApp();
  const [process] = world.subAgentLauncher.running();
  if (!process) throw new Error('No sub-agent runs.');
  process.stop = never;
  const closing = api.close();
  await world.clock.run(15_000);
  await closing;
  expect(world.subAgentClient.records).toEqual([]);
  expect(world.engine.calls.close).toBe(1);
  process.exit();
  await end();
});

test('an up that does not end holds up each step of a close for 15 s at the most', async () => {
  const { world, api, id, end } = await beginWithApp();
  world.cli.up = () => ({ ready: never(), done: never() });
  const { done } = await api.recreate(id);
  await world.clock.settle();
  let closed = false;
  const closing = api.close().then(() => (closed = true));
  // It is a job, a hook and a task.
  await world.clock.run(3 * 15_000 + 15_000);
  expect(closed).toBe(true);
  await closing;
  expect(await done).toMatchObject({ status: 'cancelled' });
  expect(world.engine.calls.close).toBe(1);
  await end();
});

test('a stop of a container that never ends does not keep a close from its end', async () => {
  const { world, api, id, end } = await beginWithApp();
  world.engine.stopContainer = never;
  const { done } = await api.stopDevcontainer(id);
  await world.clock.settle();
  const closing = api.close();
  await world.clock.run(60_000);
  await closing;
  expect((await done).status).toMatch(/failed|cancelled/);
  await end();
});

function never(): Promise<never> {
  return new Promise(() => {});
}
