import { expect, test } from 'vitest';
import { FORWARD_CONNECTIONS } from '../../src/agentcontainers/constants.ts';
import { AgentContainersError } from '../../src/index.ts';
import type { AgentContainersOptions, StateStorage } from '../../src/index.ts';
import { createGate, createMemoryStorage } from '../../src/testing/index.ts';
import type { ContainerSeed, TestWorld, WorkspaceSeed } from '../../src/testing/index.ts';
import { withResidents, type Residents } from './support/residents.ts';
import { beginWithApp, restarted, tell, type AppStory } from './support/story.ts';

interface ForwardStory extends AppStory {
  readonly residents: Residents;
}

/** `/src/app` runs in a container with a resident. */
async function beginWithResident(
  given: {
    readonly options?: AgentContainersOptions;
    readonly workspace?: WorkspaceSeed;
    readonly container?: ContainerSeed;
    readonly arrange?: (world: TestWorld) => void;
  } = {},
): Promise<ForwardStory> {
  let residents: Residents | undefined;
  const story = await beginWithApp({
    ...given,
    options: { keepSubAgents: true, ...given.options },
    arrange(world) {
      residents = withResidents(world);
      given.arrange?.(world);
    },
  });
  if (!residents) throw new Error('there are no residents');
  return { ...story, residents };
}

async function endAll({ end, residents }: Pick<ForwardStory, 'end' | 'residents'>): Promise<void> {
  await end();
  residents.assertNoLeaks();
}

/** A port is forwarded, and a client has connected to it. */
async function connected() {
  const story = await beginWithResident();
  const { world, api, id, containerId, residents } = story;
  await api.devcontainer(id).forward({ port: 3000 });
  const client = world.localListener.connect(3000);
  await world.clock.settle();
  const [server] = residents.in(containerId).connections;
  return { story, world, client, server };
}

test('a connection to the port of the host reaches the one in the container, both ways and to both ends', async () => {
  const story = await beginWithResident();
  const { world, api, id, containerId, residents } = story;
  const forward = await api.devcontainer(id).forward({ port: 3000 });
  expect(forward).toEqual({
    id: expect.any(String),
    host: '127.0.0.1',
    port: 3000,
    hostPort: 3000,
    status: 'listening',
  });
  expect((await api.get(id)).forwards).toEqual([forward]);
  expect(world.localListener.listening).toEqual([3000]);

  const client = world.localListener.connect(3000);
  await world.clock.settle();
  const [server] = residents.in(containerId).connections;
  expect(server).toMatchObject({ host: '127.0.0.1', port: 3000 });
  client.write('GET /');
  client.end();
  await world.clock.settle();
  expect(server).toMatchObject({ received: 'GET /', hasEnd: true, state: 'open' });
  server?.write('hello');
  server?.end();
  await world.clock.settle();
  expect(client).toMatchObject({ received: 'hello', hasEnd: true, state: 'closed' });
  expect(server?.state).toBe('closed');
  await endAll(story);
});

test('what one side does not take holds up the other one only', async () => {
  const { story, world, client, server } = await connected();
  server?.hold();
  client.write('a');
  client.write('b');
  server?.write('answer');
  await world.clock.settle();
  expect([server?.received, client.received]).toEqual(['', 'answer']);
  server?.take();
  await world.clock.settle();
  expect(server?.received).toBe('ab');
  client.reset();
  await world.clock.settle();
  expect(server?.state).toBe('broken');
  await endAll(story);
});

test.each(['client', 'server'] as const)('when the %s breaks off, the other side is told so', async (side) => {
  const { story, world, client, server } = await connected();
  // Also one that takes nothing just now.
  (side === 'client' ? server : client)?.hold();
  (side === 'client' ? client : server)?.write('x');
  await world.clock.settle();
  (side === 'client' ? client : server)?.reset();
  await world.clock.settle();
  // What the server said before is still the client's to take.
  if (side === 'server') client.take();
  await world.clock.settle();
  expect([client.state, server?.state]).toEqual(['broken', 'broken']);
  if (side === 'server') expect(client.received).toBe('x');
  await endAll(story);
});

test('a server that takes no more may still answer; then the client is told that it was not heard', async () => {
  const { story, world, client, server } = await connected();
  server?.refuse();
  client.write('a long story');
  await world.clock.settle();
  expect(client.state).toBe('open');
  server?.write('too long');
  server?.end();
  await world.clock.settle();
  expect(client).toMatchObject({ received: 'too long', hasEnd: true, state: 'broken' });
  await endAll(story);
});

test('a connection that nobody in the container answers is broken off', async () => {
  const story = await beginWithResident();
  const { world, api, id, containerId, residents } = story;
  await api.devcontainer(id).forward({ port: 3000 });
  residents.in(containerId).failNext('connect', new AgentContainersError('connection-refused', 'Nobody.'));
  const client = world.localListener.connect(3000);
  await world.clock.settle();
  expect(client.state).toBe('broken');
  await endAll(story);
});

test('a client that leaves while the connection into the container is being made is not waited for', async () => {
  const story = await beginWithResident();
  const { world, api, id, containerId, residents } = story;
  await api.devcontainer(id).forward({ port: 3000 });
  const gate = residents.in(containerId).hang('connect');
  const client = world.localListener.connect(3000);
  await gate.reached();
  client.reset();
  await world.clock.settle();
  expect(residents.in(containerId).leaks()).toEqual([]);
  expect(residents.in(containerId).connections).toEqual([]);
  await endAll(story);
});

test('the same port of the host is taken where it is free, and above 1023, else another one', async () => {
  const story = await beginWithResident();
  const { world, api, id } = story;
  world.localListener.take(5432);
  const runtime = api.devcontainer(id);
  expect(await runtime.forward({ port: 8080 })).toMatchObject({ hostPort: 8080 });
  expect(await runtime.forward({ port: 5432, host: 'DB' })).toMatchObject({ host: 'db', hostPort: 40_000 });
  expect(await runtime.forward({ port: 80 })).toMatchObject({ hostPort: 40_001 });
  // 8080 belongs to the first.
  expect(await runtime.forward({ port: 8080, host: 'web' })).toMatchObject({ hostPort: 40_002 });
  expect(await runtime.forward({ port: 80, host: 'web', hostPort: 81 })).toMatchObject({ hostPort: 81 });
  expect((await runtime.forwards()).map(({ hostPort }) => hostPort)).toEqual([8080, 40_000, 40_001, 40_002, 81]);
  await endAll(story);
});

test('a port that belongs to a forward is left to it, also while nothing listens there', async () => {
  const story = await beginWithResident();
  const { world, api, id } = story;
  const runtime = api.devcontainer(id);
  await runtime.forward({ port: 3000 });
  await runtime.forward({ port: 80 });
  for (const port of [3000, 40_000]) world.localListener.breakDown(port);
  await world.clock.settle();
  expect(await runtime.forward({ port: 3000, host: 'web' })).toMatchObject({ hostPort: 40_001 });
  world.localListener.givesNext(40_000);
  expect(await runtime.forward({ port: 81 })).toMatchObject({ hostPort: 40_002 });
  await world.clock.run(1_000);
  expect(world.localListener.listening).toEqual([3000, 40_000, 40_001, 40_002]);
  await endAll(story);
});

test('a forward is answered once it is written down', async () => {
  const memory = createMemoryStorage();
  const gate = createGate();
  const storage: StateStorage = {
    ...memory,
    async save(state) {
      if (JSON.stringify(state).includes('forwards')) await gate.wait();
      await memory.save(state);
    },
  };
  const story = await beginWithResident({ options: { storage } });
  let isAnswered = false;
  const forward = story.api
    .devcontainer(story.id)
    .forward({ port: 3000 })
    .finally(() => {
      isAnswered = true;
    });
  await gate.reached();
  await story.world.clock.settle();
  expect(isAnswered).toBe(false);
  gate.open();
  const { id } = await forward;
  expect(JSON.stringify(await memory.load())).toContain(id);
  await endAll(story);
});

test('the same forward asked for again is the same forward, also at the same time', async () => {
  const story = await beginWithResident();
  const { world, api, id } = story;
  const runtime = api.devcontainer(id);
  const [first, second] = await Promise.all([runtime.forward({ port: 3000 }), runtime.forward({ port: 3000 })]);
  expect(second).toEqual(first);
  expect(await runtime.forward({ port: 3000, host: '127.0.0.1', hostPort: 3000 })).toEqual(first);
  expect(await runtime.forward({ port: 3000, hostPort: 3001 })).not.toMatchObject({ id: first.id });
  expect(world.localListener.listening).toEqual([3000, 3001]);
  await endAll(story);
});

test('a port of the host that is named and taken is refused, with the next step', async () => {
  const story = await beginWithResident();
  const { world, api, id } = story;
  world.localListener.take(3000);
  const runtime = api.devcontainer(id);
  await expect(runtime.forward({ port: 80, hostPort: 3000 })).rejects.toMatchObject({
    code: 'port-taken',
    message: expect.stringContaining('choose another port'),
  });
  await runtime.forward({ port: 80, hostPort: 3001 });
  await expect(runtime.forward({ port: 81, hostPort: 3001 })).rejects.toMatchObject({
    code: 'port-taken',
    message:
      'Listening on 127.0.0.1:3001 failed: it is the forward of app to 127.0.0.1:80. End that one, or choose another port.',
  });
  expect(world.localListener.listening).toEqual([3001]);
  await endAll(story);
});

test.each([
  ['no port', { port: 0 }],
  ['a port beyond the last', { port: 65_536 }],
  ['half a port', { port: 1.5 }],
  ['a port that is text', { port: '3000' as never }],
  ['a host port beyond the last', { port: 1, hostPort: 65_536 }],
  ['host port 0', { port: 1, hostPort: 0 }],
  ['an empty host', { port: 1, host: '' }],
  ['a host with a line feed', { port: 1, host: 'db\r\nx' }],
  ['a host with a slash', { port: 1, host: 'db/x' }],
  ['a host with a space', { port: 1, host: 'd b' }],
  ['a host of 256 characters', { port: 1, host: 'd'.repeat(256) }],
])('%s is refused', async (_name, request) => {
  const story = await beginWithResident();
  await expect(story.api.devcontainer(story.id).forward(request)).rejects.toMatchObject({ code: 'invalid-request' });
  expect(story.world.localListener.calls.listen).toBe(0);
  await endAll(story);
});

test('a devcontainer has at most 64 forwards', async () => {
  const story = await beginWithResident();
  const runtime = story.api.devcontainer(story.id);
  for (let port = 3000; port < 3064; port++) await runtime.forward({ port });
  await expect(runtime.forward({ port: 4000 })).rejects.toMatchObject({
    code: 'invalid-request',
    message: expect.stringContaining('End one of them first'),
  });
  expect(await runtime.forward({ port: 3000 })).toMatchObject({ hostPort: 3000 });
  expect(story.world.localListener.listening).toHaveLength(64);
  await endAll(story);
});

test('a forward has at most 256 connections at the same time', async () => {
  const story = await beginWithResident();
  const { world, api, id, containerId, residents } = story;
  await api.devcontainer(id).forward({ port: 3000 });
  const clients = Array.from({ length: FORWARD_CONNECTIONS + 1 }, () => world.localListener.connect(3000));
  await world.clock.settle();
  expect(clients.map(({ state }) => state).indexOf('broken')).toBe(FORWARD_CONNECTIONS);
  expect(residents.in(containerId).connections).toHaveLength(FORWARD_CONNECTIONS);
  clients[0]?.reset();
  await world.clock.settle();
  const next = world.localListener.connect(3000);
  await world.clock.settle();
  expect(next.state).toBe('open');
  await endAll(story);
});

test('where no resident runs a forward is refused', async () => {
  const { world, api, id, end } = await beginWithApp();
  await expect(api.devcontainer(id).forward({ port: 3000 })).rejects.toMatchObject({ code: 'runtime-unavailable' });
  expect(world.localListener.calls.listen).toBe(0);
  expect((await api.get(id)).forwards).toBeUndefined();
  await end();
});

test('where the container does not run a forward is refused, and one that there is goes on being one', async () => {
  const story = await beginWithResident();
  const { world, api, id, containerId } = story;
  const runtime = api.devcontainer(id);
  const forward = await runtime.forward({ port: 3000 });
  world.engine.stop(containerId);
  await story.afterEvent();
  await expect(runtime.forward({ port: 3001 })).rejects.toMatchObject({ code: 'devcontainer-not-running' });
  expect(await runtime.forward({ port: 3000 })).toEqual(forward);
  // At once, without anybody waiting.
  const client = world.localListener.connect(3000);
  await world.clock.settle();
  expect(client.state).toBe('broken');

  world.engine.start(containerId);
  await story.afterEvent();
  const again = world.localListener.connect(3000);
  await world.clock.settle();
  expect(again.state).toBe('open');
  await endAll(story);
});

test.each(['forward', 'forwards', 'endForward'] as const)('%s of an unknown devcontainer is refused', async (call) => {
  const story = await beginWithResident();
  const runtime = story.api.devcontainer('none');
  const asked = {
    forward: () => runtime.forward({ port: 1 }),
    forwards: () => runtime.forwards(),
    endForward: () => runtime.endForward('x'),
  }[call];
  await expect(asked()).rejects.toMatchObject({ code: 'devcontainer-not-found' });
  await endAll(story);
});

test('ending a forward frees the port and ends its connections', async () => {
  const story = await beginWithResident();
  const { world, api, id, containerId, residents } = story;
  const runtime = api.devcontainer(id);
  const { id: forwardId } = await runtime.forward({ port: 3000 });
  const client = world.localListener.connect(3000);
  await world.clock.settle();
  await runtime.endForward(forwardId);
  expect(world.localListener.listening).toEqual([]);
  expect([client.state, residents.in(containerId).connections[0]?.state]).toEqual(['broken', 'broken']);
  expect(await runtime.forwards()).toEqual([]);
  expect((await api.get(id)).forwards).toBeUndefined();
  await expect(runtime.endForward(forwardId)).rejects.toMatchObject({ code: 'forward-not-found' });
  expect((await world.storage.load())?.entries).not.toMatchObject([{ forwards: expect.anything() }]);
  await endAll(story);
});

test('a recreate keeps the forward; a connection that comes meanwhile waits for the new container', async () => {
  const story = await beginWithResident();
  const { world, api, id, containerId, residents } = story;
  const forward = await api.devcontainer(id).forward({ port: 3000 });
  const before = world.localListener.connect(3000);
  await world.clock.settle();
  const gate = createGate();
  world.cli.onUp('/src/app', async (up) => {
    await up.wait(gate);
    const { id: made } = up.createContainer();
    up.ready();
    return up.success(made);
  });
  const { done } = await api.recreate(id, { force: true });
  await gate.reached();
  expect(before.state).toBe('broken');
  const meanwhile = world.localListener.connect(3000);
  meanwhile.write('early');
  await world.clock.settle();
  expect(meanwhile.state).toBe('open');
  gate.open();
  await world.clock.run(1_000);
  expect(await done).toMatchObject({ status: 'succeeded' });
  const next = (await api.get(id)).container?.id ?? '';
  expect(next).not.toBe(containerId);
  expect(residents.in(next).connections[0]?.received).toBe('early');
  expect(await api.devcontainer(id).forwards()).toEqual([forward]);
  expect(world.localListener.calls.listen).toBe(1);
  await endAll(story);
});

test('a connection waits for a recreate no longer than an injection may take', async () => {
  const story = await beginWithResident();
  const { world, api, id } = story;
  await api.devcontainer(id).forward({ port: 3000 });
  const gate = createGate();
  world.cli.onUp('/src/app', async (up) => {
    await up.wait(gate);
    return up.success(up.createContainer().id);
  });
  const { done } = await api.recreate(id, { force: true });
  await gate.reached();
  const client = world.localListener.connect(3000);
  await world.clock.run(14_999);
  expect(client.state).toBe('open');
  await world.clock.run(1);
  expect(client.state).toBe('broken');
  gate.open();
  await world.clock.run(1_000);
  await done;
  await endAll(story);
});

test('a restart of the container and of its resident need nothing', async () => {
  const story = await beginWithResident();
  const { world, api, id, containerId } = story;
  await api.devcontainer(id).forward({ port: 3000 });
  world.engine.restart(containerId);
  await story.afterEvent();
  const first = world.localListener.connect(3000);
  await world.clock.settle();
  expect(first.state).toBe('open');
  const gate = world.engine.hang('stopContainer', { at: 'answer' });
  const { done } = await api.restartDevcontainer(id);
  await gate.reached();
  await story.afterEvent();
  const second = world.localListener.connect(3000);
  await world.clock.settle();
  gate.open();
  await world.clock.run(1_000);
  expect(await done).toMatchObject({ status: 'succeeded' });
  expect([first.state, second.state]).toEqual(['broken', 'open']);
  world.subAgentLauncher.running()[0]?.crash();
  await world.clock.settle();
  world.subAgentLauncher.running()[0]?.crash();
  const third = world.localListener.connect(3000);
  await world.clock.run(1_000);
  expect(third.state).toBe('open');
  await endAll(story);
});

test('a restart of the library keeps the forward, its id and its port', async () => {
  const story = await beginWithResident();
  const { world, api, id, containerId, residents } = story;
  world.localListener.take(3000);
  const forward = await api.devcontainer(id).forward({ port: 3000 });
  expect(forward.hostPort).toBe(40_000);
  world.localListener.release(3000);
  const open = world.localListener.connect(40_000);
  const next = await restarted(story);
  expect(open.state).toBe('broken');
  expect(await next.api.devcontainer(id).forwards()).toEqual([forward]);
  expect(world.localListener.listening).toEqual([40_000]);
  const client = world.localListener.connect(40_000);
  await world.clock.settle();
  client.write('x');
  await world.clock.settle();
  expect(residents.in(containerId).connections.at(-1)?.received).toBe('x');
  await endAll({ ...next, residents });
});

test('a port that somebody else has after a restart is shown as failed, and taken as soon as it is free, no other one', async () => {
  const story = await beginWithResident();
  const { world, api, id, residents } = story;
  await api.devcontainer(id).forward({ port: 3000 });
  await story.end();
  world.localListener.take(3000);
  const next = tell(world);
  await next.api.start();
  await world.clock.settle();
  expect((await next.api.get(id)).forwards).toMatchObject([
    { hostPort: 3000, status: 'failed', error: expect.stringContaining('another program uses the port') },
  ]);
  const before = world.localListener.calls.listen;
  await world.clock.run(120_000);
  // After 1, 2, 4, 8, 16, 32 and 60 s.
  expect(world.localListener.calls.listen - before).toBe(6);
  expect(world.localListener.listening).toEqual([]);
  expect(world.logger.entries.filter(({ message }) => message.includes('another program uses'))).toHaveLength(1);
  world.localListener.release(3000);
  await world.clock.run(60_000);
  expect((await next.api.get(id)).forwards).toEqual([expect.objectContaining({ hostPort: 3000, status: 'listening' })]);
  expect((await next.api.get(id)).forwards?.[0]).not.toHaveProperty('error');
  await endAll({ ...next, residents });
});

test.each(['ended', 'closed with the library'])(
  'a forward that has failed and is %s tries nothing more',
  async (how) => {
    const story = await beginWithResident();
    const { world, api, id } = story;
    const runtime = api.devcontainer(id);
    const forward = await runtime.forward({ port: 3000 });
    world.localListener.breakDown(3000);
    await world.clock.settle();
    expect(await runtime.forwards()).toMatchObject([{ status: 'failed', error: 'The listener broke down.' }]);
    const gate = world.localListener.hang('listen');
    await world.clock.run(500);
    if (how === 'ended') {
      await runtime.endForward(forward.id);
      expect(world.clock.pending().map(({ tag }) => tag)).not.toContain('forward');
    }
    await endAll(story);
    expect(gate.waiting).toBe(0);
  },
);

test('a forward that is ended while it tries again does not listen then', async () => {
  const story = await beginWithResident();
  const { world, api, id } = story;
  const runtime = api.devcontainer(id);
  const forward = await runtime.forward({ port: 3000 });
  world.localListener.breakDown(3000);
  const gate = world.localListener.hang('listen');
  await world.clock.run(1_000);
  expect(gate.waiting).toBe(1);
  const ending = runtime.endForward(forward.id);
  await world.clock.settle();
  gate.open();
  await ending;
  expect(world.localListener.listening).toEqual([]);
  await endAll(story);
});

test('asked for again, one that has failed is tried at once', async () => {
  const story = await beginWithResident();
  const { world, api, id } = story;
  const runtime = api.devcontainer(id);
  const forward = await runtime.forward({ port: 3000 });
  world.localListener.breakDown(3000);
  world.localListener.take(3000);
  await world.clock.settle();
  expect(await runtime.forward({ port: 3000 })).toMatchObject({ id: forward.id, status: 'failed' });
  // The port stays with it.
  await expect(runtime.forward({ port: 1, hostPort: 3000 })).rejects.toMatchObject({ code: 'port-taken' });
  world.localListener.release(3000);
  expect(await runtime.forward({ port: 3000 })).toEqual(forward);
  await endAll(story);
});

test.each(['created', 'discovered'])(
  'a devcontainer that was %s and is removed takes its forwards along',
  async (origin) => {
    const discovered = origin === 'discovered';
    const story = await beginWithResident(discovered ? { options: { roots: ['/src'], discovery: true } } : {});
    const { world, api, id } = story;
    await api.devcontainer(id).forward({ port: 3000 });
    const client = world.localListener.connect(3000);
    await world.clock.settle();
    await api.remove(id);
    await world.clock.settle();
    expect(world.localListener.listening).toEqual([]);
    expect(client.state).toBe('broken');
    expect((await api.list()).devcontainers).toMatchObject(discovered ? [{ status: 'stopped' }] : []);
    await endAll(story);
    expect(JSON.stringify(await world.storage.load())).not.toContain('forwards');
  },
);

test('a devcontainer that is removed while its port is being taken has none', async () => {
  const story = await beginWithResident();
  const { world, api, id } = story;
  const gate = world.localListener.hang('listen');
  const forward = api.devcontainer(id).forward({ port: 3000 });
  await gate.reached();
  await api.remove(id);
  gate.open();
  await expect(forward).rejects.toMatchObject({ code: 'devcontainer-not-found' });
  expect(world.localListener.listening).toEqual([]);
  await endAll(story);
});

test('a close ends what listens and what is connected, waits or is being made', async () => {
  const story = await beginWithResident();
  const { world, api, id, containerId, residents } = story;
  await api.devcontainer(id).forward({ port: 3000 });
  const client = world.localListener.connect(3000);
  await world.clock.settle();
  const hung = residents.in(containerId).hang('connect');
  const waiting = world.localListener.connect(3000);
  await hung.reached();
  const gate = world.localListener.hang('listen');
  const late = api.devcontainer(id).forward({ port: 3001 });
  await gate.reached();
  const closing = endAll(story);
  gate.open();
  await expect(late).rejects.toMatchObject({ code: 'api-closed' });
  await closing;
  expect([client.state, waiting.state]).toEqual(['broken', 'broken']);
  expect(world.localListener.listening).toEqual([]);
  await expect(api.devcontainer(id).forwards()).rejects.toMatchObject({ code: 'api-closed' });
});

test('a close while a forward waits for the resident refuses it', async () => {
  const story = await beginWithResident({
    arrange: ({ subAgentLauncher }) => subAgentLauncher.hang('deliver'),
  });
  const forward = story.api.devcontainer(story.id).forward({ port: 3000 });
  const refused = forward.catch((error: unknown) => error);
  await story.world.clock.settle();
  await endAll(story);
  expect(await refused).toMatchObject({ code: 'api-closed' });
});
