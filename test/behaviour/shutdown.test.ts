import { expect, test } from 'vitest';
import { AgentContainersError } from '../../src/index.ts';
import { createGate, createTestWorld } from '../../src/testing/index.ts';
import { APP, begin, beginWithApp, tell } from './support/story.ts';

test('a close ends sub-agents, deletes their records, and leaves containers as they are', async () => {
  const { world, containerId, end } = await beginWithApp();
  const record = world.subAgentClient.records[0];
  await end();
  expect(world.subAgentLauncher.running()).toEqual([]);
  expect(world.subAgentClient.deleted).toEqual([record?.id]);
  expect(world.engine.container(containerId).running).toBe(true);
  expect(world.engine.calls.close).toBe(1);
  expect(world.clock.pending()).toEqual([]);
});

test('a close is one close, however often and by whatever name it is asked for', async () => {
  const { world, api, end } = await beginWithApp();
  expect(api.close()).toBe(api.close());
  await Promise.all([api.close(), api[Symbol.asyncDispose](), api.close()]);
  await api.close();
  expect(world.engine.calls.close).toBe(1);
  expect(world.subAgentClient.calls.delete).toBe(1);
  await end();
});

test('after a close every call is refused', async () => {
  const { world, api, id, containerId, end } = await beginWithApp();
  await api.close();
  const closed = { code: 'api-closed', message: 'API closed' };
  const before = { ...world.engine.calls };
  for (const call of [
    () => api.start(),
    () => api.list(),
    () => api.get(id),
    () => api.refresh(),
    () => api.create({ workspaceFolder: '/src/app' }),
    () => api.recreate(id),
    () => api.recreateByContainer(containerId),
    () => api.startDevcontainer(id),
    () => api.stopDevcontainer(id),
    () => api.restartDevcontainer(id),
    () => api.remove(id),
    () => api.operation('any'),
    () => api.logs(id)[Symbol.asyncIterator]().next(),
    () => api.exec(id, { argv: ['true'] }),
  ]) {
    await expect(call()).rejects.toMatchObject(closed);
  }
  await world.clock.run(60 * 60_000);
  expect(world.engine.calls).toEqual(before);
  await end();
});

test('calls are refused from the moment at which a close begins', async () => {
  const { world, api, id, end } = await beginWithApp();
  const gate = world.subAgentClient.hang('delete');
  const closing = api.close();
  await expect(api.list()).rejects.toMatchObject({ code: 'api-closed' });
  await expect(api.recreate(id)).rejects.toMatchObject({ code: 'api-closed' });
  gate.open();
  await closing;
  await end();
});

test('a close cancels an up that is under way, without an error', async () => {
  const { world, api, id, end } = await beginWithApp({
    arrange: ({ cli }) =>
      cli.onUp(APP, async (up) => {
        await up.wait(createGate());
        return up.success('never');
      }),
  });
  const { done, operation } = await api.recreate(id);
  await world.clock.settle();
  expect(world.cli.running).toEqual(['/src/app']);
  await end();
  expect(await done).toMatchObject({ id: operation.id, status: 'cancelled' });
  expect(world.cli.running).toEqual([]);
  expect(world.logger.messages('error')).toEqual([]);
});

test('a close cancels later hooks that go on in the background', async () => {
  const { world, api, id, end } = await beginWithApp({
    arrange: ({ cli }) =>
      cli.onUp(APP, async (up) => {
        const container = up.createContainer();
        up.ready();
        await up.wait(createGate());
        return up.success(container.id);
      }),
  });
  await api.recreate(id);
  await world.clock.settle();
  expect(world.cli.running).toEqual(['/src/app']);
  await end();
  expect(world.cli.running).toEqual([]);
});

test('a close drops an injection that is under way', async () => {
  const { world, end } = await beginWithApp({
    arrange: ({ subAgentLauncher }) => void subAgentLauncher.hang('launch'),
  });
  expect(world.subAgentClient.records).toHaveLength(1);
  await end();
  expect(world.subAgentClient.records).toEqual([]);
  expect(world.logger.messages('warn')).toEqual([]);
});

test('a record whose making is answered only during the close is deleted, too', async () => {
  const { world, api, end } = await begin({}, ({ addWorkspace, engine }) => {
    addWorkspace('/src/app');
    engine.addContainer({ workspaceFolder: '/src/app', name: 'app-1', state: 'exited' });
  });
  const answer = world.subAgentClient.hang('create', { at: 'answer' });
  world.engine.start('app-1');
  await world.clock.run(20);
  expect(answer.waiting).toBe(1);
  const closing = api.close();
  await world.clock.settle();
  answer.open();
  await closing;
  expect(world.subAgentClient.records).toEqual([]);
  expect(world.subAgentLauncher.running()).toEqual([]);
  await end();
});

test('pre-assigned records outlive a close', async () => {
  const { world, end } = await beginWithApp({
    options: { manifest: [{ workspaceFolder: '/src/app', subAgentId: 'kept' }] },
    arrange: ({ subAgentClient }) => void subAgentClient.addRecord({ id: 'kept' }),
  });
  await end();
  expect(world.subAgentClient.records.map(({ id }) => id)).toEqual(['kept']);
  expect(world.subAgentClient.deleted).toEqual([]);
});

test('a control plane that does not answer holds up a close for at most 10 s', async () => {
  const { world, api, end } = await beginWithApp();
  world.subAgentClient.hang('delete');
  const closing = api.close();
  await world.clock.run(10_000);
  await closing;
  expect(world.logger.messages('warn')).toEqual([expect.stringContaining('at close failed')]);
  await end();
});

test('a control plane that refuses does not stop a close', async () => {
  const { world, end } = await beginWithApp();
  world.subAgentClient.failNext('delete', new AgentContainersError('control-plane-refused', 'Refused.'));
  await end();
  expect(world.engine.calls.close).toBe(1);
});

test('a close does not wait for a listing that hangs, and a refresh that it cuts short is refused', async () => {
  const { world, api, end } = await beginWithApp();
  const gate = world.engine.hang('listContainers');
  const refusal = api.refresh().catch((error: unknown) => error);
  await gate.reached();
  await api.close();
  expect(await refusal).toMatchObject({ code: 'api-closed' });
  await end();
});

test('a library that never started can be closed', async () => {
  const world = createTestWorld();
  const { api, end } = tell(world);
  await expect(api.list()).rejects.toMatchObject({ code: 'broken-contract' });
  await end();
  await expect(api.start()).rejects.toMatchObject({ code: 'api-closed' });
  world.assertNoLeaks();
});

test('a stop that is under way is finished or given up, not left behind', async () => {
  const { world, api, id, end } = await beginWithApp();
  const gate = world.engine.hang('stopContainer');
  const { done } = await api.stopDevcontainer(id);
  await gate.reached();
  const closing = api.close();
  await world.clock.settle();
  gate.open();
  await closing;
  expect((await done).status).toMatch(/succeeded|cancelled/);
  await end();
});

test('subscribers are not told of anything after a close', async () => {
  const { world, api, containerId, end } = await beginWithApp();
  await api.close();
  let told = 0;
  api.subscribe(() => told++);
  world.engine.stop(containerId);
  await world.clock.run(70_000);
  expect(told).toBe(0);
  await end();
});

test('a close during the first pass leaves nothing', async () => {
  const world = createTestWorld();
  const { api, end } = tell(world);
  const gate = world.engine.hang('listContainers');
  const started = api.start();
  const refusal = api.list().catch((error: unknown) => error);
  await gate.reached();
  await api.close();
  await started;
  await world.clock.settle();
  expect(await refusal).toMatchObject({ code: 'api-closed' });
  expect(world.clock.pending()).toEqual([]);
  await end();
});

test('a close ends commands that run in containers', async () => {
  const { world, api, id, end } = await beginWithApp({
    arrange: ({ engine }) =>
      engine.onExec(
        ['sleep'],
        ({ signal }) => new Promise((resolve) => signal.addEventListener('abort', () => resolve(0))),
      ),
  });
  const stay = new AbortController();
  const sessions = [
    await api.exec(id, { argv: ['sleep'] }),
    await api.exec(id, { argv: ['sleep'], signal: stay.signal }),
  ];
  expect(world.engine.openExecs).toHaveLength(2);
  await api.close();
  for (const { exited } of sessions) expect(await exited).toMatchObject({ exitCode: null });
  await world.clock.settle();
  expect(world.engine.openExecs).toEqual([]);
  await end();
});

test.each(['without a signal', 'with a signal of its caller'])(
  'a close gives up a command that is not running yet, asked for %s',
  async (how) => {
    const { world, api, id, end } = await beginWithApp();
    const gate = world.engine.hang('inspectContainer');
    const stay = new AbortController();
    const refusal = api
      .exec(id, { argv: ['true'], ...(how === 'without a signal' ? {} : { signal: stay.signal }) })
      .catch((error: unknown) => error);
    await gate.reached();
    await api.close();
    await end();
    expect(await refusal).toMatchObject({ code: 'cancelled' });
    expect(world.engine.calls.exec).toBe(0);
  },
);
