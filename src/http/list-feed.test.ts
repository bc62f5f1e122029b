import { expect, test } from 'vitest';
import type { ListResult } from '../agentcontainers/api.ts';
import { createDeferred } from '../async/deferred.ts';
import { createFakeClock } from '../testing/fake-clock.ts';
import type { Frame } from './list-feed.ts';
import { ListFeed } from './list-feed.ts';
import { listOf, listSource, scriptedApi } from './test-api.ts';

const nameIn = (frame: Frame | undefined) =>
  (JSON.parse(frame?.json.toString() ?? 'null') as { devcontainers: { name: string }[] } | null)?.devcontainers[0]
    ?.name;

test('changes that follow closely are encoded as two frames: the first at once, the last when the pause is over', async () => {
  const clock = createFakeClock();
  const source = listSource(listOf('first'));
  const feed = new ListFeed(scriptedApi(source), clock, 10);
  await feed.open();
  const frames: Frame[] = [];
  feed.listen((frame) => frames.push(frame));
  await clock.run(10);
  for (const name of ['a', 'b', 'c', 'd']) source.change(listOf(name));
  expect(frames.map(nameIn)).toEqual(['a']);
  await clock.run(9);
  expect(frames).toHaveLength(1);
  await clock.run(1);
  expect(frames.map(nameIn)).toEqual(['a', 'd']);
  feed.close();
  expect(clock.pending()).toEqual([]);
});

test('whoever comes during the pause sees the state of that moment', async () => {
  const clock = createFakeClock();
  const source = listSource(listOf('first'));
  const feed = new ListFeed(scriptedApi(source), clock, 10);
  await feed.open();
  source.change(listOf('second'));
  expect(nameIn(feed.latest)).toBe('first');
  await feed.open();
  expect(nameIn(feed.latest)).toBe('second');
  feed.close();
});

test('a change between the subscription and the answer of the list is not overwritten by the older answer', async () => {
  const clock = createFakeClock();
  const source = listSource(listOf('first'));
  const answer = createDeferred<ListResult>();
  const feed = new ListFeed(scriptedApi({ subscribe: source.subscribe, list: () => answer.promise }), clock, 10);
  const opening = feed.open();
  source.change(listOf('newer'));
  answer.resolve(listOf('older'));
  await opening;
  expect(nameIn(feed.latest)).toBe('newer');
  feed.close();
});

test('a feed that is closed while it opens lets go of everything', async () => {
  const clock = createFakeClock();
  const source = listSource(listOf('first'));
  const answer = createDeferred<ListResult>();
  const feed = new ListFeed(scriptedApi({ subscribe: source.subscribe, list: () => answer.promise }), clock, 10);
  const opening = feed.open();
  feed.close();
  answer.resolve(listOf('first'));
  await expect(opening).rejects.toMatchObject({ code: 'api-closed' });
  expect(source.subscribers).toBe(0);
  expect(clock.pending()).toEqual([]);
});

test('a list that cannot be read leaves a subscription only for as long as a client might come back', async () => {
  const clock = createFakeClock();
  const source = listSource(listOf('first'));
  const list = () => Promise.reject(new Error('no engine'));
  const feed = new ListFeed(scriptedApi({ subscribe: source.subscribe, list }), clock, 10);
  await expect(feed.open()).rejects.toThrow('no engine');
  await clock.run(60_000);
  expect(source.subscribers).toBe(0);
  expect(clock.pending()).toEqual([]);
});
