import { bounded } from '../../async/abort.ts';
import { createCoalescer } from '../../async/coalescer.ts';
import type { Instant, Timer } from '../../clock/clock.ts';
import { cancelled, errorMessage } from '../../errors.ts';
import { DISCOVERY_DEBOUNCE, DISCOVERY_LONGEST_REST, DISCOVERY_REST_FACTOR, DISCOVERY_TIMEOUT } from '../constants.ts';
import type { DirectoryWatch, FoundProjects } from '../ports.ts';
import type { Runtime } from './runtime.ts';

/** Searches one root again and again: one search at a time, soon after changes, and seldom where it leads to nothing. */
export interface RootSearch {
  /** A search that begins after this call. Never rejects; one that fails is logged, and changes nothing. */
  run(): Promise<void>;
  /** One in about so many ms, if none comes earlier. */
  soon(ms: number): void;
  close(): Promise<void>;
}

/**
 * INVARIANTS
 * - One search at a time; a root that does not answer is not asked again before it has: hung calls would use up the
 *   threads of all others.
 * - Whatever changes during a search, or after it began, is looked for by a later one.
 * - After `close` nothing is watched, planned or told.
 *
 * @param take is told what was found; says whether that is anything new
 */
export function createRootSearch(
  rt: Pick<Runtime, 'ports' | 'closing'>,
  path: string,
  take: (projects: FoundProjects) => Promise<boolean>,
): RootSearch {
  const { clock, logger, projectFinder, watcher } = rt.ports;
  const watches = new Map<string, DirectoryWatch>();
  let planned: { readonly at: Instant; readonly timer: Timer } | undefined;
  let closed = false;
  /** A search is under way, maybe one that was given up waiting for. */
  let looking = false;
  /** Something changed meanwhile. */
  let missed = false;
  let endedAt = Number.NEGATIVE_INFINITY;
  let took = 0;
  let rest: number = DISCOVERY_DEBOUNCE;
  let failure: string | undefined;
  let truncated: string | undefined;

  /** True when there are other directories than before. */
  function watchAll(directories: readonly string[]): boolean {
    const wanted = new Set(directories);
    let isNew = false;
    for (const [directory, watch] of watches) {
      if (wanted.has(directory)) continue;
      watch.close();
      watches.delete(directory);
      isNew = true;
    }
    for (const directory of wanted) {
      if (watches.has(directory)) continue;
      watches.set(directory, watcher.watch(directory, changed));
      isNew = true;
    }
    return isNew;
  }

  async function look(signal: AbortSignal): Promise<void> {
    const began = clock.now();
    looking = true;
    missed = false;
    try {
      const projects = await projectFinder.find(path, signal);
      signal.throwIfAborted();
      if (closed) return;
      const isElsewhere = watchAll(projects.watchDirectories);
      const isNew = await take(projects);
      rest = isElsewhere || isNew ? DISCOVERY_DEBOUNCE : Math.min(DISCOVERY_LONGEST_REST, rest * 2);
      if (projects.truncated !== undefined && projects.truncated !== truncated) {
        logger.warn({ root: path }, `${projects.truncated} Some projects may be missing: name folders further down.`);
      }
      truncated = projects.truncated;
    } finally {
      looking = false;
      endedAt = clock.now();
      // How long one took that was given up says nothing about its work.
      took = signal.aborted ? 0 : endedAt - began;
      if (missed) changed();
    }
  }

  const searches = createCoalescer(async () => {
    if (looking || closed) {
      missed = true;
      return;
    }
    try {
      await bounded(clock, DISCOVERY_TIMEOUT, `Looking for projects below ${path}`, rt.closing, look);
      if (failure !== undefined) logger.info({ root: path }, `Looking for projects below ${path} works again.`);
      failure = undefined;
    } catch (error) {
      // What it says when it comes is too old; then it is asked again.
      missed = true;
      const message = errorMessage(error);
      if (!rt.closing.aborted && message !== failure) {
        logger.warn({ root: path, err: error }, `${message} What was found there before is kept.`);
      }
      failure = message;
    }
  });
  const run = (): Promise<void> => searches.request().catch(() => {});

  function changed(): void {
    if (looking) {
      missed = true;
      return;
    }
    // After a time of quiet it may be news.
    if (clock.now() - endedAt > 2 * rest) rest = DISCOVERY_DEBOUNCE;
    soon(Math.max(DISCOVERY_DEBOUNCE, endedAt + rest - clock.now()));
  }

  function soon(ms: number): void {
    if (closed) return;
    const at = Math.max(clock.now() + ms, endedAt + took * DISCOVERY_REST_FACTOR);
    if (planned && planned.at <= at) return;
    planned?.timer.stop();
    const timer = clock.afterFunc(
      at - clock.now(),
      () => {
        planned = undefined;
        return run();
      },
      'root search',
    );
    planned = { at, timer };
  }

  return {
    run,
    soon,
    async close() {
      closed = true;
      planned?.timer.stop();
      planned = undefined;
      for (const watch of watches.values()) watch.close();
      watches.clear();
      await searches.close(cancelled('closing'));
    },
  };
}
