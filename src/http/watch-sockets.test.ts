import { expect, test } from 'vitest';
import { AgentContainersError } from '../errors.ts';
import { createFakeClock } from '../testing/fake-clock.ts';
import { createRouter } from './router.ts';
import { listOf, listSource, scriptedApi } from './test-api.ts';
import { connect, mount, untilNextPing } from './test-server.ts';

const nameIn = (frame: unknown) => (frame as { devcontainers: { name: string }[] }).devcontainers[0]?.name;

async function open(options: Parameters<typeof createRouter>[1] = {}) {
  const clock = createFakeClock();
  const source = listSource(listOf('first'));
  const router = createRouter(scriptedApi(source), { clock, ...options });
  const port = await mount(router);
  return { clock, source, router, url: `ws://127.0.0.1:${port}/mnt/watch` };
}

test('the first frame comes at once and is the list response', async () => {
  const { url } = await open();
  const socket = await connect(url);
  expect(await socket.frame(0)).toMatchObject({
    devcontainers: [{ name: 'first', workspace_folder: '/src/web' }],
    containers: [],
  });
});

test('a change comes as one further text frame, without waiting for the clock', async () => {
  const { url, source, clock } = await open();
  const socket = await connect(url);
  await socket.frame(0);
  await clock.run(10);
  source.change(listOf('second'));
  expect(nameIn(await socket.frame(1))).toBe('second');
});

test('changes that follow closely become one frame with the last state', async () => {
  const { url, source, clock } = await open();
  const socket = await connect(url);
  await socket.frame(0);
  await clock.run(10);
  for (const name of ['a', 'b', 'c', 'd']) source.change(listOf(name));
  expect(nameIn(await socket.frame(1))).toBe('a');
  await clock.run(10);
  expect(nameIn(await socket.frame(2))).toBe('d');
  source.change(listOf('e'));
  await clock.run(10);
  expect(nameIn(await socket.frame(3))).toBe('e');
});

test('a change that cannot be seen in the answer sends nothing', async () => {
  const { url, source, clock } = await open();
  const socket = await connect(url);
  await socket.frame(0);
  await clock.run(10);
  source.change(listOf('first'));
  await clock.run(10);
  source.change(listOf('second'));
  expect(nameIn(await socket.frame(1))).toBe('second');
});

test('many clients share one subscription, and it ends a minute after the last has left', async () => {
  const { url, source, clock } = await open();
  const sockets = await Promise.all([connect(url), connect(url), connect(url)]);
  await Promise.all(sockets.map((socket) => socket.frame(0)));
  expect(source.subscribers).toBe(1);
  for (const { ws } of sockets) ws.close();
  await Promise.all(sockets.map((socket) => socket.closed));
  await expect.poll(() => clock.pending().map((timer) => timer.tag)).toContain('http: end the idle list feed');
  await clock.run(60_000);
  expect(source.subscribers).toBe(0);
  expect(clock.pending()).toEqual([]);
});

test('a client that does not read is dropped, and the others get every state at once', async () => {
  const { url, source, clock } = await open({ maxBufferedBytes: 64 * 1024 });
  const slow = await connect(url);
  const quick = await connect(url);
  await Promise.all([slow.frame(0), quick.frame(0)]);
  slow.ws.pause();
  // More than the buffers of the kernel take for one connection.
  for (let n = 1; n <= 3; n++) {
    await clock.run(10);
    source.change(listOf(`state ${n}`, 16 * 1024 * 1024));
    expect(nameIn(await quick.frame(n))).toBe(`state ${n}`);
  }
  slow.ws.resume();
  expect((await slow.closed).code).toBe(1006);
  expect(slow.frames.length).toBeLessThan(quick.frames.length);
  await clock.run(10);
  source.change(listOf('afterwards'));
  expect(nameIn(await quick.frame(4))).toBe('afterwards');
});

test('a client that answers pings stays, one that does not is dropped at the next', async () => {
  const { url, clock } = await open();
  const alive = await connect(url);
  const dead = await connect(url, {}, { autoPong: false });
  await Promise.all([alive.frame(0), dead.frame(0)]);
  await untilNextPing(clock, alive.ws, dead.ws);
  expect((await dead.closed).code).toBe(1006);
  expect(alive.ws.readyState).toBe(alive.ws.OPEN);
});

test('closing ends every client with 1001 and refuses new ones with 503', async () => {
  const { url, router, clock } = await open();
  const socket = await connect(url);
  await socket.frame(0);
  await router.close();
  expect(await socket.closed).toEqual({ code: 1001, reason: 'The server is closing.' });
  await expect(connect(url)).rejects.toMatchObject({ status: 503, body: { message: 'API closed' } });
  expect(clock.pending()).toEqual([]);
});

test('a library that was closed without the router is noticed at the next ping', async () => {
  const clock = createFakeClock();
  const source = listSource(listOf('first'));
  let isClosed = false;
  const router = createRouter(
    scriptedApi({
      subscribe: source.subscribe,
      list: async () => {
        if (isClosed) throw new AgentContainersError('api-closed', 'Listing failed: closed.');
        return source.list();
      },
    }),
    { clock },
  );
  const socket = await connect(`ws://127.0.0.1:${await mount(router)}/mnt/watch`);
  await socket.frame(0);
  isClosed = true;
  await clock.run(15_000);
  expect((await socket.closed).code).toBe(1001);
  expect(source.subscribers).toBe(0);
});

test('the number of clients is bounded', async () => {
  const { url } = await open({ maxWatchers: 2 });
  const first = await connect(url);
  await connect(url);
  await expect(connect(url)).rejects.toMatchObject({ status: 503, body: { message: 'Too many watchers' } });
  first.ws.close();
  await first.closed;
  await expect
    .poll(() =>
      connect(url).then(
        () => 'open',
        () => 'refused',
      ),
    )
    .toBe('open');
});

test('an upgrade that cannot be served has the documented answer', async () => {
  const router = createRouter(
    scriptedApi({
      subscribe: () => () => {},
      list: () => Promise.reject(new AgentContainersError('list-failed', 'Listing containers failed: no engine.')),
    }),
    { clock: createFakeClock() },
  );
  const port = await mount(router);
  await expect(connect(`ws://127.0.0.1:${port}/mnt/watch`)).rejects.toMatchObject({
    status: 500,
    body: { message: 'Failed to upgrade connection to websocket.', detail: 'Listing containers failed: no engine.' },
  });
});

test('an upgrade at another address is refused with 404, one from a foreign page with 403', async () => {
  const { url } = await open();
  await expect(connect(url.replace('watch', 'devcontainers'))).rejects.toMatchObject({ status: 404 });
  await expect(connect(url, { origin: 'http://evil.example' })).rejects.toMatchObject({
    status: 403,
    body: { message: 'Origin not allowed' },
  });
});

test('a client that sends more than it has to say is cut off, and nobody else notices', async () => {
  const { url, source, clock } = await open();
  const loud = await connect(url);
  const quiet = await connect(url);
  await Promise.all([loud.frame(0), quiet.frame(0)]);
  loud.ws.send('x'.repeat(5000));
  expect((await loud.closed).code).toBe(1009);
  await clock.run(10);
  source.change(listOf('second'));
  expect(nameIn(await quiet.frame(1))).toBe('second');
});

test('a change is encoded once, however many watch', async () => {
  const { url, source, clock } = await open();
  const sockets = await Promise.all([connect(url), connect(url), connect(url)]);
  await Promise.all(sockets.map((socket) => socket.frame(0)));
  await clock.run(10);
  let readings = 0;
  const second = listOf('second');
  source.change({
    ...second,
    get devcontainers() {
      readings++;
      return second.devcontainers;
    },
  });
  const frames = await Promise.all(sockets.map((socket) => socket.frame(1)));
  expect(frames.map(nameIn)).toEqual(['second', 'second', 'second']);
  expect(readings).toBe(1);
});
