import { getEventListeners } from 'node:events';
import { expect, test, vi } from 'vitest';
import type { LogChunk } from '../../src/index.ts';
import { createGate } from '../../src/testing/index.ts';
import { APP, beginWithApp } from './support/story.ts';

async function textOf(chunks: AsyncIterable<LogChunk>): Promise<string> {
  let text = '';
  for await (const chunk of chunks) text += chunk.text;
  return text;
}

test('an operation tells what it is at, when it began and when it ended', async () => {
  const gates = { build: createGate(), create: createGate() };
  const { world, api, id, end } = await beginWithApp({
    arrange: ({ cli }) =>
      cli.onUp(APP, async (up) => {
        up.progress('build', 'Building');
        await up.wait(gates.build);
        up.progress('create', 'Creating');
        up.progress('other', 'Something small');
        await up.wait(gates.create);
        return up.success(up.createContainer().id);
      }),
  });
  const startedAt = world.clock.now();
  const { operation, done } = await api.recreate(id);
  expect(operation).toMatchObject({ phase: 'waiting', status: 'running', startedAt });
  expect(operation.endedAt).toBeUndefined();
  for (const phase of ['build', 'create'] as const) {
    await world.clock.run(1_000);
    expect(await api.operation(operation.id)).toMatchObject({ phase, status: 'running' });
    gates[phase].open();
  }
  await world.clock.run(1_000);
  expect(await done).toMatchObject({ phase: 'running', status: 'succeeded', startedAt, endedAt: startedAt + 2_000 });
  await end();
});

test('the log holds what users want to read, and each operation says where its part begins', async () => {
  let count = 0;
  const { world, api, id, end } = await beginWithApp({
    arrange: ({ cli }) =>
      cli.onUp(APP, (up) => {
        up.progress('build', `Building ${++count} with äöü`);
        up.progress('other', 'a detail', 1);
        up.progress('other', 'worth telling', 3);
        return up.success(up.createContainer().id);
      }),
  });
  const first = await api.recreate(id);
  await world.clock.settle();
  const second = await api.recreate(id);
  await world.clock.settle();
  expect(first.operation.logOffset).toBe(0);
  const all = await textOf(api.logs(id));
  expect(all).toBe(
    'Stopping app-1\nBuilding 1 with äöü\nworth telling\nStopping container-2\nBuilding 2 with äöü\nworth telling\n',
  );
  expect(await textOf(api.logs(id, { offset: second.operation.logOffset }))).toBe(
    'Stopping container-2\nBuilding 2 with äöü\nworth telling\n',
  );
  expect(await textOf(api.logs(id, { offset: 1_000_000 }))).toBe('');
  await end();
});

test('the log of a failed up says why', async () => {
  const { world, api, id, end } = await beginWithApp({
    arrange: ({ cli }) => cli.onUp(APP, (up) => up.failure('The build failed: no such image.')),
  });
  await api.recreate(id);
  await world.clock.settle();
  expect(await textOf(api.logs(id))).toContain('The build failed: no such image. The earlier container runs again.\n');
  await end();
});

test('a follower is told as it happens, and its reading ends at the close', async () => {
  const gate = createGate();
  const { world, api, id, end } = await beginWithApp({
    arrange: ({ cli }) =>
      cli.onUp(APP, async (up) => {
        up.progress('build', 'one');
        await up.wait(gate);
        up.progress('build', 'two');
        return up.success(up.createContainer().id);
      }),
  });
  let text = '';
  let ended = false;
  const following = (async () => {
    for await (const chunk of api.logs(id, { follow: true })) text += chunk.text;
    ended = true;
  })();
  await api.recreate(id);
  await world.clock.settle();
  expect(text).toBe('Stopping app-1\none\n');
  gate.open();
  await world.clock.settle();
  expect(text).toBe('Stopping app-1\none\ntwo\n');
  expect(ended).toBe(false);
  await end();
  await following;
});

test('a follower can leave', async () => {
  const { world, api, id, end } = await beginWithApp();
  const leave = new AbortController();
  const following = textOf(api.logs(id, { follow: true, signal: leave.signal }));
  await world.clock.settle();
  leave.abort();
  expect(await following).toBe('');
  await end();
});

test('the log of what is not there is refused', async () => {
  const { api, end } = await beginWithApp();
  await expect(textOf(api.logs('nothing'))).rejects.toMatchObject({ code: 'devcontainer-not-found' });
  await end();
});

test('a follower of a log is let go when the devcontainer is deleted', async () => {
  const { world, api, id, end } = await beginWithApp();
  let ended = false;
  const following = (async () => {
    for await (const _ of api.logs(id, { follow: true }));
    ended = true;
  })();
  await world.clock.settle();
  await api.remove(id);
  await world.clock.settle();
  expect(ended).toBe(true);
  await end();
  await following;
});

test('who has read a log leaves no listener behind, neither on his own signal nor on one of ours', async () => {
  const listen = vi.spyOn(EventTarget.prototype, 'addEventListener');
  try {
    const { api, id, end } = await beginWithApp();
    const own = new AbortController();
    const listeners = () => {
      const signals = new Set(listen.mock.contexts.filter((target) => target instanceof AbortSignal));
      return [...signals].reduce((count, signal) => count + getEventListeners(signal, 'abort').length, 0);
    };
    await textOf(api.logs(id));
    const before = listeners();
    for (let time = 0; time < 5; time++) {
      await textOf(api.logs(id, { signal: own.signal }));
      for await (const _ of api.logs(id, { follow: true, signal: AbortSignal.abort() }));
    }
    expect(listeners()).toBe(before);
    expect(getEventListeners(own.signal, 'abort')).toEqual([]);
    await end();
  } finally {
    listen.mockRestore();
  }
});
