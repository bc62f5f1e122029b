import { basename } from 'node:path';

import { watch } from 'chokidar';

import type { Clock } from '../clock/clock.ts';

/** Change notification of one directory that existed when it was opened. */
export interface NotifySource {
  /** Resolves when changes are seen from now on, or when it was closed. Rejects when the directory cannot be watched. */
  readonly ready: Promise<void>;
  close(): Promise<void>;
}

export interface NotifyCallbacks {
  /** Something directly inside changed, or the directory itself did; `self` when it may have been the directory itself. */
  readonly onEvent: (self: boolean) => void;
  /** It broke after it was ready. */
  readonly onError: (error: unknown) => void;
}

export type OpenNotifySource = (directory: string, callbacks: NotifyCallbacks, clock: Clock) => NotifySource;

const READY_WITHIN_MS = 10_000;

/**
 * One chokidar instance for one directory.
 *
 * All entries are ignored and the raw notifications of the directory are used: chokidar would otherwise take one kernel
 * watch for each file in it, and would lose a file that is removed and made again. An instance a directory costs no
 * inotify instance, since Node.js has one for the whole process, and needs none of chokidar's adding and unwatching.
 * Not persistent, because chokidar shares persistent watches of equal paths in the whole process: who opens a directory
 * that was removed and made again would be given the dead watch that somebody else still holds.
 */
export const openNotifySource: OpenNotifySource = (directory, callbacks, clock) => {
  const name = basename(directory);
  const watcher = watch(directory, {
    depth: 0,
    ignoreInitial: true,
    persistent: false,
    followSymlinks: true,
    ignored: (path) => path !== directory,
  });
  let isReady = false;
  let isClosed = false;
  let closing: Promise<void> | undefined;
  let settle: () => void = () => {};
  const ready = new Promise<void>((resolve, reject) => {
    const late = clock.afterFunc(READY_WITHIN_MS, () => reject(new Error('it took too long')), 'watch-ready');
    // chokidar does not say that it is ready once it was closed.
    settle = () => {
      late.stop();
      resolve();
    };
    watcher.once('ready', () => {
      isReady = true;
      settle();
      // chokidar is as ready without a watch, when the directory was away for the moment in which it was to be opened.
      if (!isClosed && watcher._closers.size === 0) callbacks.onEvent(true);
    });
    watcher.on('error', (error) => {
      late.stop();
      if (isReady && !isClosed) callbacks.onError(error);
      else reject(error instanceof Error ? error : new Error(String(error)));
    });
  });
  // The kernel reports the end of the directory under its own name.
  watcher.on('raw', (_event, path) => {
    if (!isClosed) callbacks.onEvent(path === name || path === directory);
  });
  return {
    ready,
    close() {
      isClosed = true;
      settle();
      closing ??= watcher.close();
      return closing;
    },
  };
};
