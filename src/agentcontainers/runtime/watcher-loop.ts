import { bounded } from '../../async/abort.ts';
import { createCoalescer, type Coalescer } from '../../async/coalescer.ts';
import { createLimiter } from '../../async/limiter.ts';
import { errorMessage } from '../../errors.ts';
import { FIRST_LOOKS_AT_ONCE, FOLDER_TIMEOUT } from '../constants.ts';
import type { EntryKey } from '../model/devcontainer.ts';
import type { DirectoryWatch } from '../ports.ts';
import { readConfig } from './read-config.ts';
import type { Runtime } from './runtime.ts';

/** Reads a configuration anew whenever a directory on the way to it changes. */
export interface WatcherLoop {
  /** Watches from now on, or from `begin` on. */
  watch(id: string, key: EntryKey): void;
  /**
   * Watches what was asked for until now, a few at a time, and what is asked for from now on at once. The first pass reads
   * configurations by itself: a look at each of them beside it would only make it slower.
   */
  begin(): Promise<void>;
  unwatch(id: string): void;
  /** Reads all watched configurations: what a watch missed is found here. */
  reread(): Promise<void>;
  close(): Promise<void>;
}

interface Watched {
  readonly reading: Coalescer;
  watches: Map<string, DirectoryWatch>;
  closed: boolean;
  /** A look at its files is under way, maybe one that was given up waiting for. */
  looking: boolean;
  /** Something changed during a look that nobody waits for any more. */
  missed: boolean;
}

export function createWatcherLoop(rt: Runtime): WatcherLoop {
  const { clock, configFiles, watcher, logger } = rt.ports;
  const watched = new Map<string, Watched>();
  let begun = false;

  /** Directories may be others after each change: a symlink that was retargeted, a folder that came back. */
  async function watchDirectories(one: Watched, key: EntryKey, onChange: () => void): Promise<void> {
    const wanted = new Set(await configFiles.watchDirectories(key));
    if (one.closed) return;
    for (const [directory, watch] of one.watches) {
      if (wanted.has(directory)) continue;
      watch.close();
      one.watches.delete(directory);
    }
    for (const directory of wanted) {
      if (!one.watches.has(directory)) one.watches.set(directory, watcher.watch(directory, onChange));
    }
  }

  async function look(one: Watched, id: string, key: EntryKey, onChange: () => void): Promise<void> {
    // First the watches, then the read: a change between the two is seen by one of them.
    await watchDirectories(one, key, onChange);
    if (one.closed) return;
    const reading = await readConfig(rt, key);
    if (!one.closed) rt.store.dispatch({ type: 'configRead', id, reading });
  }

  function close(one: Watched): void {
    one.closed = true;
    for (const watch of one.watches.values()) watch.close();
    one.watches.clear();
  }

  return {
    watch(id, key) {
      if (watched.has(id) || rt.closing.aborted || key.configPath === '') return;
      const onChange = (): void => rt.tasks.spawn(`read configuration of ${id}`, () => one.reading.request());
      const one: Watched = {
        watches: new Map(),
        closed: false,
        looking: false,
        missed: false,
        reading: createCoalescer(async () => {
          // One that does not answer is not asked again before it has: hung calls would use up the threads of all others.
          if (one.looking) {
            one.missed = true;
            return;
          }
          one.looking = true;
          one.missed = false;
          const looked = look(one, id, key, onChange).finally(() => {
            one.looking = false;
            if (one.missed && !one.closed) onChange();
          });
          try {
            await bounded(clock, FOLDER_TIMEOUT, `Reading ${key.configPath}`, rt.closing, () => looked);
          } catch (error) {
            if (!rt.closing.aborted) logger.warn({ err: error, devcontainer: id }, errorMessage(error));
          }
        }),
      };
      watched.set(id, one);
      if (begun) onChange();
    },
    async begin() {
      begun = true;
      const limiter = createLimiter(FIRST_LOOKS_AT_ONCE);
      const look = async (one: Watched): Promise<void> => (one.closed ? undefined : one.reading.request());
      await Promise.all([...watched.values()].map((one) => limiter.run(rt.closing, () => look(one))));
    },
    unwatch(id) {
      const one = watched.get(id);
      if (one) close(one);
      watched.delete(id);
    },
    async reread() {
      await Promise.all([...watched.values()].map((one) => one.reading.request()));
    },
    async close() {
      for (const one of watched.values()) close(one);
      watched.clear();
      await watcher.close();
    },
  };
}
