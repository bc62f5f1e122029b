import { resolve } from 'node:path';

import type { DirectoryWatch, Watcher } from '../agentcontainers/ports.ts';
import type { Clock } from '../clock/clock.ts';
import { errorMessage } from '../errors.ts';
import type { Logger } from '../logger.ts';
import { fileSystemTypeOf, needsPolling } from './file-system-type.ts';
import { openNotifySource, type OpenNotifySource } from './notify-source.ts';
import { createSourcePool } from './source-pool.ts';
import { createWatchedDirectory, type WatchedDirectory } from './watched-directory.ts';

export interface WatcherOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** The type of the file system at an existing path, e.g. `ext4` or `nfs4`. Default: from `/proc/self/mountinfo`. */
  readonly probeFileSystem?: ((path: string) => Promise<string | undefined>) | undefined;
  /** True: poll every directory, once a second. */
  readonly usePolling?: boolean | undefined;
  /** How change notification is opened; default chokidar. */
  readonly openSource?: OpenNotifySource | undefined;
}

interface Watched {
  readonly directory: WatchedDirectory;
  readonly listeners: Set<() => void>;
}

/** What a person can do when the kernel has no watches or instances left. */
const LIMITS: ReadonlyMap<string, string> = new Map([
  ['ENOSPC', 'raise fs.inotify.max_user_watches with sysctl'],
  ['EMFILE', 'raise fs.inotify.max_user_instances with sysctl'],
]);

/**
 * Watches directories, not files: every way of saving is a change in the directory. The directory itself, symbolic links
 * on the way to it and the nearest existing parent are watched too, so that it is seen to go, to come back, and to become
 * another one. Where the system does not notify, the directory is polled once a second.
 *
 * Beyond the port: `onChange` is also called once when the watch of a directory begins, so a caller that reads the state
 * in it misses nothing.
 */
export function createWatcher(options: WatcherOptions): Watcher {
  const { clock, logger } = options;
  const probe = options.probeFileSystem ?? fileSystemTypeOf;
  const pool = createSourcePool(options.openSource ?? openNotifySource, clock);
  const watched = new Map<string, Watched>();
  const warned = new Set<string>();
  let closing: Promise<void> | undefined;

  const onFallback = (path: string, error: unknown): void => {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown';
    const hint = LIMITS.get(code);
    const fields = { directory: path, err: errorMessage(error) };
    // Running out is one fact about the machine, however many directories it hits.
    if (hint !== undefined && warned.has(code)) {
      logger.debug(fields, 'Polling one more directory.');
      return;
    }
    warned.add(code);
    const next = hint === undefined ? '' : ` To be notified again, ${hint} and restart.`;
    logger.warn(
      fields,
      `Watching a directory failed: ${errorMessage(error)}. It is polled once a second instead.${next}`,
    );
  };

  const open = (path: string): Watched => {
    const listeners = new Set<() => void>();
    const directory = createWatchedDirectory({
      path,
      pool,
      clock,
      mustPoll: async (existing) => options.usePolling === true || needsPolling(await probe(existing)),
      onFallback: (error) => onFallback(path, error),
      onChange: () => {
        for (const listener of listeners) {
          try {
            listener();
          } catch (error) {
            logger.error({ directory: path, err: errorMessage(error) }, 'A listener of a directory watch failed.');
          }
        }
      },
    });
    return { directory, listeners };
  };

  return {
    watch(directory, onChange): DirectoryWatch {
      if (closing !== undefined) return { close() {} };
      const path = resolve(directory);
      const entry = watched.get(path) ?? open(path);
      watched.set(path, entry);
      // Its own function, so that one listener given twice counts twice.
      const listener = (): void => onChange();
      entry.listeners.add(listener);
      return {
        close() {
          if (!entry.listeners.delete(listener) || entry.listeners.size > 0) return;
          if (watched.get(path) === entry) watched.delete(path);
          entry.directory.close();
        },
      };
    },
    close() {
      closing ??= (async () => {
        for (const { directory, listeners } of watched.values()) {
          listeners.clear();
          directory.close();
        }
        watched.clear();
        await pool.idle();
      })();
      return closing;
    },
  };
}
