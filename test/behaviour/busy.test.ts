import { expect, test } from 'vitest';
import { APP, beginWithApp } from './support/story.ts';

test('a recreate is refused with the list of holders while a command runs in the container, unless forced', async () => {
  const { world, api, only, id, end } = await beginWithApp({
    arrange: ({ engine }) => engine.onExec(['sleep'], () => new Promise<number>(() => {})),
  });
  const session = await api.exec(id, { argv: ['sleep', '100', '--password=secret'] });
  expect((await only()).holders).toMatchObject([{ kind: 'exec', description: 'sleep' }]);
  await expect(api.recreate(id)).rejects.toMatchObject({
    code: 'devcontainer-busy',
    message: 'Devcontainer is busy',
    details: { holders: [{ kind: 'exec', description: 'sleep' }], detail: expect.not.stringContaining('secret') },
  });
  expect(await only()).toMatchObject({ status: 'running' });
  session.close();
  await session.exited;
  await world.clock.settle();
  expect((await only()).holders).toBeUndefined();

  const second = await api.exec(id, { argv: ['sleep', '100'] });
  const { done } = await api.recreate(id, { force: true });
  await world.clock.settle();
  expect(await done).toMatchObject({ status: 'succeeded' });
  await second.exited;
  expect((await only()).holders).toBeUndefined();
  await end();
});

test('a sub-agent that says that it is busy holds a recreate off until it is idle or ends', async () => {
  const { world, api, only, id, end } = await beginWithApp();
  const [process] = world.subAgentLauncher.running();
  process?.request.onBusy?.('refactoring');
  expect((await only()).holders).toMatchObject([{ kind: 'sub-agent', description: 'refactoring' }]);
  await expect(api.recreate(id)).rejects.toMatchObject({ code: 'devcontainer-busy' });
  process?.request.onBusy?.(undefined);
  expect((await only()).holders).toBeUndefined();
  process?.request.onBusy?.('testing');
  process?.exit({ reason: 'exit', exitCode: 1 });
  await world.clock.settle();
  expect((await only()).holders).toBeUndefined();
  expect(world.cli.upRequests).toEqual([]);
  void APP;
  await end();
});
