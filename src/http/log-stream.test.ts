import { expect, test } from 'vitest';
import type { LogChunk, LogQuery } from '../agentcontainers/api.ts';
import { createMemoryLogSink } from '../agentcontainers/runtime/memory-log-sink.ts';
import { createDeferred } from '../async/deferred.ts';
import { AgentContainersError } from '../errors.ts';
import { createFakeClock } from '../testing/fake-clock.ts';
import { createRouter } from './router.ts';
import { devcontainer, scriptedApi } from './test-api.ts';
import { ask, mount, readEvents } from './test-server.ts';

const CHUNKS: LogChunk[] = [
  { offset: 0, text: 'Grüße\n' },
  { offset: 8, text: 'built\n' },
];

async function open(logs: (query: LogQuery) => AsyncIterable<LogChunk>) {
  const queries: LogQuery[] = [];
  const router = createRouter(
    scriptedApi({
      get: async (id) => {
        if (id !== 'dc-1')
          throw new AgentContainersError('devcontainer-not-found', `Finding ${id} failed: there is none.`);
        return devcontainer({ id });
      },
      logs: (_id, query = {}) => {
        queries.push(query);
        return logs(query);
      },
    }),
    { clock: createFakeClock() },
  );
  const port = await mount(router);
  const path = '/mnt/devcontainers/dc-1/logs';
  return { port, path, queries, router, url: `http://127.0.0.1:${port}${path}` };
}

async function* twoChunks() {
  yield* CHUNKS;
}

/** Until the signal aborts, as the library does it. */
async function* andFollow({ signal }: LogQuery) {
  yield* CHUNKS;
  await new Promise<void>((resolve) => signal?.addEventListener('abort', () => resolve()));
}

test('the log is plain text', async () => {
  const { port, path, queries } = await open(twoChunks);
  const answer = await ask(port, { path });
  expect(answer).toMatchObject({ status: 200, text: 'Grüße\nbuilt\n' });
  expect(answer.headers['content-type']).toBe('text/plain; charset=utf-8');
  expect(queries[0]).toMatchObject({ offset: 0, follow: false });
});

test('an empty log is an empty text', async () => {
  const { port, path } = await open(async function* () {});
  expect(await ask(port, { path })).toMatchObject({ status: 200, text: '' });
});

test('it comes as events when Accept says so, each with the offset after it, then end', async () => {
  const { url } = await open(twoChunks);
  const events = readEvents(await fetch(url, { headers: { accept: 'text/event-stream' } }));
  expect(await events.next()).toEqual({ id: '8', data: CHUNKS[0] });
  expect(await events.next()).toEqual({ id: '14', data: CHUNKS[1] });
  expect(await events.next()).toEqual({ event: 'end', data: {} });
});

test.each(['?follow', '?follow=true', '?follow=1'])('%s goes on until the client leaves', async (query) => {
  const left = createDeferred<unknown>();
  const { url, queries } = await open((given) => {
    given.signal?.addEventListener('abort', () => left.resolve(given.signal?.reason));
    return andFollow(given);
  });
  const events = readEvents(await fetch(url + query));
  await events.next();
  await events.next();
  expect(queries[0]?.follow).toBe(true);
  events.cancel();
  expect(await left.promise).toMatchObject({ details: { reason: 'caller-left' } });
});

test('headers come before the first line, so that a client knows it is connected', async () => {
  const { url } = await open(async function* ({ signal }) {
    await new Promise<void>((resolve) => signal?.addEventListener('abort', () => resolve()));
  });
  const response = await fetch(`${url}?follow`);
  expect(response.headers.get('content-type')).toContain('text/event-stream');
  await response.body?.cancel();
});

test('Last-Event-ID goes on where the client was, before offset', async () => {
  const { port, path, queries } = await open(twoChunks);
  await ask(port, { path: `${path}?offset=3`, headers: { 'last-event-id': '8' } });
  await ask(port, { path: `${path}?offset=3` });
  await ask(port, { path, headers: { 'last-event-id': 'nonsense' } });
  expect(queries.map((query) => query.offset)).toEqual([8, 3, 0]);
});

test('a client that loses its connection after any event has the whole log in the end, from where an operation began', async () => {
  const sink = createMemoryLogSink({ maxBytes: 64 * 1024 });
  sink.append('dc-1', 'earlier: Grüße\n');
  const logOffset = await sink.size('dc-1');
  const text = '🧱 building…\n'.repeat(3_000);
  sink.append('dc-1', text);
  const { url } = await open(({ offset = 0, follow = false, signal }) =>
    sink.read('dc-1', { offset, follow, signal: signal ?? new AbortController().signal }),
  );
  let seen = '';
  let last: string | undefined;
  let connections = 0;
  // One connection for each event, and each time the query says what it said first, as an EventSource does it.
  for (; Buffer.byteLength(seen) < Buffer.byteLength(text) && connections < 100; connections++) {
    const headers = last === undefined ? {} : { 'last-event-id': last };
    const events = readEvents(await fetch(`${url}?follow&offset=${logOffset}`, { headers }));
    const event = await events.next();
    seen += (event.data as LogChunk).text;
    last = event.id;
    events.cancel();
  }
  expect(connections).toBeGreaterThan(2);
  expect(seen).toBe(text);
});

test('closing the router ends who follows', async () => {
  const { url, router } = await open(andFollow);
  const events = readEvents(await fetch(`${url}?follow`));
  await events.next();
  await router.close();
  await events.next();
  await expect(events.next()).rejects.toThrow('the stream has ended');
});

test('a log that breaks off is not taken for a whole one', async () => {
  const broken = async function* () {
    yield* CHUNKS;
    throw new AgentContainersError('state-unreadable', 'Reading the log failed: disk error.');
  };
  const { port, path, url } = await open(broken);
  await expect(ask(port, { path })).rejects.toThrow(/aborted|hang up/);
  const events = readEvents(await fetch(`${url}?follow`));
  await events.next();
  await events.next();
  expect(await events.next()).toMatchObject({ event: 'error', data: { message: 'State could not be read' } });
});

test('the log of an unknown devcontainer is a 404', async () => {
  const { port } = await open(twoChunks);
  for (const query of ['', '?follow']) {
    const answer = await ask(port, { path: `/mnt/devcontainers/nope/logs${query}` });
    expect(answer).toMatchObject({ status: 404, json: { message: 'Devcontainer not found.' } });
  }
});

test.each(['?offset=-1', '?offset=x', '?follow=maybe', '?tail=3', '?offset=1&offset=2'])(
  '%s is refused',
  async (query) => {
    const { port, path } = await open(twoChunks);
    expect(await ask(port, { path: path + query })).toMatchObject({
      status: 400,
      json: { message: 'Invalid request' },
    });
  },
);
