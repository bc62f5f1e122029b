import type { Clock, Timer } from '../clock/clock.ts';
import { directoryIdentity, directorySignature } from './directory-state.ts';
import { pathGuards } from './path-guards.ts';
import type { Hold, SourcePool } from './source-pool.ts';

const DEBOUNCE_MS = 20;
const POLL_MS = 1_000;
/** A directory that comes and goes all the time is looked at with a rest after so many looks. */
const MAX_LOOKS = 20;
const REST_MS = 200;

export interface WatchedDirectory {
  /** Does not wait for the file system, which may never answer. */
  close(): void;
}

/**
 * Keeps one directory under watch whatever happens to the path that leads to it.
 *
 * INVARIANTS
 * - `onChange` is called once when the watch begins, since what happened before is not known, and after every change.
 * - What is held is what the path leads to now: after opening anything it looks again, so that nothing that happened
 *   meanwhile is lost.
 * - From the first failure on it polls, and never notifies and polls at the same time.
 * - After `close` it calls nothing and holds nothing.
 */
export function createWatchedDirectory(options: {
  readonly path: string;
  readonly pool: SourcePool;
  readonly clock: Clock;
  /** Must this place be polled from the beginning? Asked again when the path leads to another directory. */
  readonly mustPoll: (existing: string) => Promise<boolean>;
  /** Default: {@link directoryIdentity}. */
  readonly identify?: ((path: string) => Promise<string | undefined>) | undefined;
  readonly onChange: () => void;
  readonly onFallback: (error: unknown) => void;
}): WatchedDirectory {
  const { path, pool, clock } = options;
  const identify = options.identify ?? directoryIdentity;
  const holds = new Map<string, { readonly identity: string; readonly hold: Hold }>();
  let identity: string | undefined | null = null;
  let isClosed = false;
  let changeTimer: Timer | undefined;
  let lookTimer: Timer | undefined;
  let ticker: Timer | undefined;
  let looking: Promise<void> | undefined;
  let lookAgain = false;

  const changed = (): void => {
    if (isClosed) return;
    // Not put off by further events, so that a busy directory is not silent.
    changeTimer ??= clock.afterFunc(
      DEBOUNCE_MS,
      () => {
        changeTimer = undefined;
        options.onChange();
      },
      'watch-change',
    );
  };

  const lookIn = (ms: number): void => {
    if (isClosed || ticker !== undefined) return;
    lookTimer ??= clock.afterFunc(
      ms,
      () => {
        lookTimer = undefined;
        look();
      },
      'watch-look',
    );
  };

  const releaseAll = (): void => {
    for (const { hold } of holds.values()) hold.release();
    holds.clear();
  };

  const poll = (): void => {
    if (isClosed || ticker !== undefined) return;
    releaseAll();
    let last: string | undefined;
    const compare = async (): Promise<void> => {
      const now = await directorySignature(path);
      if (now !== last) changed();
      last = now;
    };
    ticker = clock.tickerFunc(POLL_MS, compare, 'watch-poll');
    looking = compare();
  };

  const fallBack = (error: unknown): void => {
    if (isClosed || ticker !== undefined) return;
    options.onFallback(error);
    poll();
  };

  /** One look; true when something was opened, so that another look is needed. */
  const lookOnce = async (): Promise<boolean> => {
    const guards = await pathGuards(path);
    const now = await identify(path);
    if (isClosed) return false;
    if (now !== identity && (await options.mustPoll(now === undefined ? (guards.at(-1) ?? '/') : path))) {
      poll();
      return false;
    }
    const wanted = new Map<string, string>();
    for (const guard of guards) {
      const guardIdentity = await identify(guard);
      if (guardIdentity !== undefined) wanted.set(guard, guardIdentity);
    }
    if (now !== undefined) wanted.set(path, now);
    if (isClosed) return false;

    for (const [place, { identity: held, hold }] of holds) {
      if (wanted.get(place) === held && hold.isAlive()) continue;
      hold.release();
      holds.delete(place);
    }
    const opened: Promise<void>[] = [];
    const openedOwn = now !== undefined && !holds.has(path);
    for (const [place, placeIdentity] of wanted) {
      if (holds.has(place)) continue;
      const hold = pool.hold(place, placeIdentity, {
        onEvent: () => {
          if (place === path) changed();
          if (place !== path || !hold.isAlive()) lookIn(DEBOUNCE_MS);
        },
        onError: fallBack,
      });
      holds.set(place, { identity: placeIdentity, hold });
      opened.push(hold.ready);
    }
    await Promise.all(opened);
    // Also when it seems to be the one from before: an inode can be used again, and what was opened anew saw nothing yet.
    if (now !== identity || openedOwn) changed();
    identity = now;
    return opened.length > 0;
  };

  const lookUntilSettled = async (): Promise<void> => {
    try {
      for (let looks = 0; ; looks++) {
        lookAgain = false;
        const opened = await lookOnce();
        if (isClosed || ticker !== undefined || (!opened && !lookAgain)) return;
        if (looks === MAX_LOOKS) return lookIn(REST_MS);
      }
    } catch (error) {
      fallBack(error);
    }
  };

  function look(): void {
    if (isClosed || ticker !== undefined) return;
    lookAgain = true;
    looking ??= lookUntilSettled().finally(() => {
      if (ticker === undefined) looking = undefined;
    });
  }
  look();

  return {
    close() {
      // A look that is under way opens nothing any more.
      isClosed = true;
      for (const timer of [changeTimer, lookTimer, ticker]) timer?.stop();
      releaseAll();
    },
  };
}
