import type { FakeProjectFinder, Gate } from '../../testing/index.ts';
import { describe, expect, it } from 'vitest';
import { cancelled } from '../../errors.ts';
import {
  createFakeClock,
  createFakeProjectFinder,
  createFakeWatcher,
  createRecordingLogger,
} from '../../testing/index.ts';
import type { FoundProjects } from '../ports.ts';
import { createRootSearch } from './root-search.ts';
import type { Runtime } from './runtime.ts';

const ROOT = '/src';

function begin(take?: (projects: FoundProjects) => Promise<boolean>) {
  const clock = createFakeClock();
  const watcher = createFakeWatcher();
  const projectFinder = createFakeProjectFinder({ onChange: (directory) => void watcher.change(directory) });
  const logger = createRecordingLogger();
  const controller = new AbortController();
  const taken: string[][] = [];
  const ports = { clock, watcher, projectFinder, logger } as unknown as Runtime['ports'];
  const search = createRootSearch(
    { ports, closing: controller.signal },
    ROOT,
    take ??
      (async ({ keys }) => {
        const folders = keys.map(({ workspaceFolder }) => workspaceFolder);
        const isNew = JSON.stringify(folders) !== JSON.stringify(taken.at(-1));
        taken.push(folders);
        return isNew;
      }),
  );
  return {
    clock,
    watcher,
    projectFinder,
    logger,
    search,
    taken,
    searches: () => projectFinder.calls.find,
    stop: () => controller.abort(cancelled('closing')),
    async end() {
      controller.abort(cancelled('closing'));
      await search.close();
      for (const source of [clock, watcher, projectFinder]) expect(source.leaks()).toEqual([]);
    },
  };
}

/** As a mount whose server is gone: it does not even hear that it shall end. */
function hangDeaf(projectFinder: FakeProjectFinder): Gate {
  const gate = projectFinder.hang('find');
  const answer = projectFinder.find;
  Object.assign(projectFinder, { find: (root: string) => answer(root, new AbortController().signal) });
  return gate;
}

describe('a search below a root', () => {
  it('watches what it found, and follows a change a moment later, several in one', async () => {
    const { clock, watcher, projectFinder, search, taken, end } = begin();
    projectFinder.add('/src/a');
    await search.run();
    expect(watcher.directories).toEqual(['/src', '/src/a']);
    projectFinder.add('/src/b');
    projectFinder.remove('/src/a');
    await clock.run(199);
    expect(taken).toEqual([['/src/a']]);
    await clock.run(1);
    expect(taken).toEqual([['/src/a'], ['/src/b']]);
    expect(watcher.directories).toEqual(['/src', '/src/b']);
    await clock.run(60_000);
    expect(taken).toHaveLength(2);
    await end();
  });

  it('is followed by another when something changes while it is under way', async () => {
    const { clock, watcher, projectFinder, search, taken, end } = begin();
    await search.run();
    const gate = projectFinder.hang('find', { at: 'answer' });
    watcher.change(ROOT);
    await clock.run(200);
    projectFinder.add('/src/late');
    expect(taken).toEqual([[]]);
    gate.open();
    await clock.settle();
    expect(taken).toEqual([[], []]);
    await clock.run(400);
    expect(taken).toEqual([[], [], ['/src/late']]);
    await end();
  });

  it('rests ten times as long as it took', async () => {
    const { clock, watcher, projectFinder, search, searches, end } = begin();
    const gate = projectFinder.hang('find');
    const first = search.run();
    await clock.run(3_000);
    gate.open();
    await first;
    watcher.change(ROOT);
    await clock.run(29_999);
    expect(searches()).toBe(1);
    await clock.run(1);
    expect(searches()).toBe(2);
    await end();
  });

  it('comes ever more seldom while changes lead to nothing, and at once after a time of quiet', async () => {
    const { clock, watcher, projectFinder, search, searches, taken, end } = begin();
    await search.run();
    const noise = async (ms: number): Promise<number> => {
      const before = searches();
      for (let passed = 0; passed < ms; passed += 100) {
        watcher.change(ROOT);
        await clock.run(100);
      }
      return searches() - before;
    };
    expect(await noise(1_000)).toBeLessThanOrEqual(3);
    await noise(60_000);
    expect(await noise(60_000)).toBeLessThanOrEqual(7);
    // What is new is found in spite of the noise, and then soon again.
    projectFinder.add('/src/a', undefined, { quietly: true });
    await noise(10_100);
    expect(taken.at(-1)).toEqual(['/src/a']);
    await clock.run(60_000);
    projectFinder.add('/src/b');
    await clock.run(200);
    expect(taken.at(-1)).toEqual(['/src/a', '/src/b']);
    // The first change after such a time may be only the beginning, as of a clone.
    await noise(60_000);
    await clock.run(60_000);
    watcher.change(ROOT);
    await clock.run(200);
    projectFinder.add('/src/c');
    await clock.run(400);
    expect(taken.at(-1)).toEqual(['/src/a', '/src/b', '/src/c']);
    await end();
  });

  it('that fails keeps what was found and watched before; that is said once, and that it works again', async () => {
    const { clock, watcher, projectFinder, search, logger, taken, end } = begin();
    projectFinder.add('/src/a');
    await search.run();
    projectFinder.failNext('find', new Error('EIO: i/o error'), 2);
    projectFinder.add('/src/b');
    await clock.run(200);
    await search.run();
    expect(taken).toEqual([['/src/a']]);
    expect(watcher.directories).toEqual(['/src', '/src/a']);
    expect(logger.entries.map(({ message }) => message)).toEqual([
      'EIO: i/o error What was found there before is kept.',
    ]);
    await search.run();
    expect(taken.at(-1)).toEqual(['/src/a', '/src/b']);
    expect(logger.entries.at(-1)?.message).toBe('Looking for projects below /src works again.');
    await end();
  });

  it('that hangs is given up after 30 s, not asked again before it has answered, and asked then', async () => {
    const { clock, projectFinder, watcher, search, logger, searches, taken, end } = begin();
    await search.run();
    projectFinder.add('/src/a', undefined, { quietly: true });
    const gate = hangDeaf(projectFinder);
    watcher.change(ROOT);
    await clock.run(30_200);
    expect(logger.entries.map(({ message }) => message)).toEqual([
      'Looking for projects below /src failed: no answer within 30 s. What was found there before is kept.',
    ]);
    watcher.change(ROOT);
    await search.run();
    await clock.run(600_000);
    expect(searches()).toBe(2);
    gate.open();
    await clock.run(400);
    expect(searches()).toBe(3);
    expect(taken.at(-1)).toEqual(['/src/a']);
    await end();
  });

  it('that reached a bound says so once', async () => {
    const { projectFinder, search, logger, end } = begin();
    projectFinder.truncate('There is more.');
    await search.run();
    await search.run();
    projectFinder.truncate(undefined);
    await search.run();
    projectFinder.truncate('There is more.');
    await search.run();
    expect(logger.entries.map(({ message }) => message)).toEqual(
      Array(2).fill('There is more. Some projects may be missing: name folders further down.'),
    );
    await end();
  });

  it('that is under way when everything ends tells nothing and leaves nothing', async () => {
    const { clock, projectFinder, search, taken, stop, end } = begin();
    projectFinder.add('/src/a');
    const gate = hangDeaf(projectFinder);
    const running = search.run();
    search.soon(1_000);
    await clock.settle();
    stop();
    await search.close();
    await running;
    gate.open();
    await clock.settle();
    await end();
    expect(taken).toEqual([]);
    await search.run();
    search.soon(1);
    await end();
  });

  it('is planned for the earliest time that was asked for', async () => {
    const { clock, search, searches, end } = begin();
    search.soon(5_000);
    search.soon(2_000);
    search.soon(8_000);
    await clock.run(1_999);
    expect(searches()).toBe(0);
    await clock.run(1);
    expect(searches()).toBe(1);
    await clock.run(60_000);
    expect(searches()).toBe(1);
    await end();
  });
});
