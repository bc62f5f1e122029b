import { expect, test } from 'vitest';
import { AgentContainersError } from '../errors.ts';
import { createFakeClock } from '../testing/fake-clock.ts';
import { createRouter } from './router.ts';
import { listOf, listSource, scriptedApi } from './test-api.ts';
import { ask, mount, readEvents } from './test-server.ts';

const nameIn = (event: { data: unknown }) =>
  (event.data as { devcontainers: { name: string }[] }).devcontainers[0]?.name;

async function open(options: Parameters<typeof createRouter>[1] = {}) {
  const clock = createFakeClock();
  const source = listSource(listOf('first'));
  const router = createRouter(scriptedApi(source), { clock, ...options });
  const port = await mount(router);
  const events = async (lastEventId?: string) => {
    const headers: Record<string, string> = lastEventId === undefined ? {} : { 'last-event-id': lastEventId };
    const response = await fetch(`http://127.0.0.1:${port}/mnt/events`, { headers });
    return readEvents(response);
  };
  /** A change that is published on its own. */
  const change = async (name: string, filler?: number) => {
    await clock.run(10);
    source.change(listOf(name, filler));
  };
  return { clock, router, port, events, change };
}

test('events carry the list and an id, the first at once', async () => {
  const { events, change } = await open();
  const stream = await events();
  const first = await stream.next();
  expect(nameIn(first)).toBe('first');
  expect(first.id).toMatch(/^[0-9a-f]{12}-1$/);
  await change('second');
  const second = await stream.next();
  expect(nameIn(second)).toBe('second');
  expect(second.id).not.toBe(first.id);
});

test('Last-Event-ID resumes with exactly what was missed', async () => {
  const { events, change } = await open();
  const before = await events();
  const { id } = await before.next();
  before.cancel();
  await change('second');
  await change('third');
  const after = await events(id);
  expect(nameIn(await after.next())).toBe('second');
  expect(nameIn(await after.next())).toBe('third');
});

test('a client that missed nothing is sent nothing until the next change', async () => {
  const { events, change } = await open();
  const before = await events();
  const { id } = await before.next();
  const after = await events(id);
  await change('second');
  expect(nameIn(await after.next())).toBe('second');
});

test('a gap longer than the buffer is told by a reset event, then comes the present state', async () => {
  const { events, change } = await open();
  const before = await events();
  const { id } = await before.next();
  before.cancel();
  for (let n = 1; n <= 65; n++) await change(`state ${n}`);
  const after = await events(id);
  expect(await after.next()).toMatchObject({ event: 'reset', data: { reason: 'gap' } });
  expect(nameIn(await after.next())).toBe('state 65');
});

test('the buffer is bounded in bytes too', async () => {
  const { events, change } = await open();
  const before = await events();
  const { id } = await before.next();
  before.cancel();
  for (let n = 1; n <= 3; n++) await change(`state ${n}`, 2 * 1024 * 1024);
  const after = await events(id);
  expect(await after.next()).toMatchObject({ event: 'reset' });
  expect(nameIn(await after.next())).toBe('state 3');
});

test('an id of another run of the server leads to a reset, as does an id that never was', async () => {
  const other = await open();
  const { id } = await (await other.events()).next();
  const { events } = await open();
  for (const foreign of [id, 'made up', '../x']) {
    const stream = await events(foreign);
    expect(await stream.next()).toMatchObject({ event: 'reset' });
    expect(nameIn(await stream.next())).toBe('first');
  }
});

test('a quiet stream is kept alive by comments', async () => {
  const { events, clock, change } = await open();
  const stream = await events();
  await stream.next();
  await clock.run(15_000);
  await change('second');
  await stream.next();
  expect(stream.comments).toEqual([': ping']);
});

test('closing the router ends the stream', async () => {
  const { events, router, clock } = await open();
  const stream = await events();
  await stream.next();
  await router.close();
  await expect(stream.next()).rejects.toThrow('the stream has ended');
  expect(clock.pending()).toEqual([]);
});

test('watchers by either way count together', async () => {
  const { events, port } = await open({ maxWatchers: 1 });
  await (await events()).next();
  const answer = await ask(port, { path: '/mnt/events' });
  expect(answer).toMatchObject({ status: 503, json: { message: 'Too many watchers' } });
  expect(answer.headers['retry-after']).toBe('5');
});

test('an unreadable list is answered by 500 instead of an empty stream', async () => {
  const api = scriptedApi({
    subscribe: () => () => {},
    list: () => Promise.reject(new AgentContainersError('list-failed', 'Listing containers failed: no engine.')),
  });
  const port = await mount(createRouter(api, { clock: createFakeClock() }));
  expect(await ask(port, { path: '/mnt/events' })).toMatchObject({
    status: 500,
    json: { message: 'Could not get containers' },
  });
});

test('HEAD does not open a stream', async () => {
  const { port } = await open();
  const answer = await ask(port, { path: '/mnt/events', method: 'HEAD' });
  expect(answer.status).toBe(405);
  expect(answer.headers.allow).toBe('GET');
});
