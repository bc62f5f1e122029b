import { mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, it, vi } from 'vitest';

import { systemClock } from '../clock/system-clock.ts';
import { openNotifySource, type OpenNotifySource } from './notify-source.ts';
import { createSourcePool } from './source-pool.ts';
import { createWatchedDirectory, type WatchedDirectory } from './watched-directory.ts';

const WITHIN = { timeout: 4_000, interval: 5 };

let root: string;
let watched: WatchedDirectory | undefined;
beforeEach(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), 'watched-directory-')));
});
afterEach(async () => {
  watched?.close();
  await rm(root, { recursive: true, force: true });
});

/** As on a file system that uses inodes again at once and keeps no time of birth. */
async function indistinguishable(path: string): Promise<string | undefined> {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true ? 'same' : undefined;
}

it.each([
  ['removed and made again', (directory: string) => rmSync(directory, { recursive: true })],
  ['moved away and another moved in', (directory: string) => renameSync(directory, join(root, 'away'))],
])('sees a directory that was %s where one cannot be told from the other', async (_, remove) => {
  const directory = join(root, 'd');
  const file = join(directory, 'file');
  mkdirSync(directory);
  writeFileSync(file, 'one');
  const seen: string[] = [];
  watched = createWatchedDirectory({
    path: directory,
    pool: createSourcePool(openNotifySource, systemClock),
    clock: systemClock,
    mustPoll: async () => false,
    identify: indistinguishable,
    onChange: () => void seen.push(readFileSync(file, 'utf8')),
    onFallback: () => {},
  });
  await vi.waitFor(() => expect(seen).toEqual(['one']), WITHIN);
  remove(directory);
  mkdirSync(directory);
  writeFileSync(file, 'two');
  await vi.waitFor(() => expect(seen.at(-1)).toBe('two'), WITHIN);
  // Only what watches the new directory can see this.
  await vi.waitFor(
    () => {
      writeFileSync(file, 'three');
      expect(seen.at(-1)).toBe('three');
    },
    { timeout: 4_000, interval: 100 },
  );
});

/** Sources that do what the test says. */
function scriptedSources() {
  const opened: { directory: string; emit: (self: boolean) => void; becomeReady: () => void; isClosed: boolean }[] = [];
  const open: OpenNotifySource = (directory, callbacks) => {
    const gate = createDeferred();
    const source = { directory, emit: callbacks.onEvent, becomeReady: gate.resolve, isClosed: false };
    opened.push(source);
    return {
      ready: gate.promise,
      close: async () => {
        source.isClosed = true;
        gate.resolve();
      },
    };
  };
  const of = (directory: string) => opened.filter((source) => source.directory === directory);
  const readyAll = () => opened.forEach((source) => source.becomeReady());
  return { open, of, readyAll };
}

function createDeferred(): { promise: Promise<void>; resolve: () => void } {
  let resolve = (): void => {};
  const promise = new Promise<void>((fulfil) => {
    resolve = fulfil;
  });
  return { promise, resolve };
}

it('tells of what happened while it opened the same directory anew', async () => {
  const directory = join(root, 'd');
  const file = join(directory, 'file');
  mkdirSync(directory);
  writeFileSync(file, 'one');
  const sources = scriptedSources();
  const seen: string[] = [];
  watched = createWatchedDirectory({
    path: directory,
    pool: createSourcePool(sources.open, systemClock),
    clock: systemClock,
    mustPoll: async () => false,
    identify: indistinguishable,
    onChange: () => void seen.push(readFileSync(file, 'utf8')),
    onFallback: () => {},
  });
  await vi.waitFor(() => expect(sources.of(directory)).toHaveLength(1), WITHIN);
  sources.readyAll();
  await vi.waitFor(() => expect(seen).toEqual(['one']), WITHIN);
  sources.of(directory)[0]?.emit(true);
  await vi.waitFor(() => expect(sources.of(directory)).toHaveLength(2), WITHIN);
  await vi.waitFor(() => expect(seen).toEqual(['one', 'one']), WITHIN);
  writeFileSync(file, 'two');
  sources.readyAll();
  await vi.waitFor(() => expect(seen.at(-1)).toBe('two'), WITHIN);
});

it('does not take over a dead source that another one still holds', async () => {
  const directory = join(root, 'd');
  mkdirSync(join(directory, 'sub'), { recursive: true });
  const sources = scriptedSources();
  const pool = createSourcePool(sources.open, systemClock);
  const watch = (path: string) =>
    createWatchedDirectory({
      path,
      pool,
      clock: systemClock,
      mustPoll: async () => false,
      onChange: () => {},
      onFallback: () => {},
    });
  // The one that watches `sub` holds `d` as well, to see `sub` come and go.
  const two = [watch(directory), watch(join(directory, 'sub'))];
  try {
    await vi.waitFor(() => expect(sources.of(join(directory, 'sub'))).toHaveLength(1), WITHIN);
    expect(sources.of(directory)).toHaveLength(1);
    sources.readyAll();
    sources.of(directory)[0]?.emit(true);
    await vi.waitFor(() => expect(sources.of(directory)).toHaveLength(2), WITHIN);
    await vi.waitFor(
      () => expect(sources.of(directory).map((source) => source.isClosed)).toEqual([true, false]),
      WITHIN,
    );
  } finally {
    sources.readyAll();
    for (const one of two) one.close();
  }
  await pool.idle();
  expect(sources.of(directory).every((source) => source.isClosed)).toBe(true);
});
