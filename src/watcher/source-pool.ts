import type { Clock } from '../clock/clock.ts';
import type { NotifySource, OpenNotifySource } from './notify-source.ts';

export interface SourceListener {
  onEvent(): void;
  onError(error: unknown): void;
}

/** A share in the notification of one directory. */
export interface Hold {
  readonly ready: Promise<void>;
  /** False when the directory may have been removed or moved since: then take a new hold. */
  isAlive(): boolean;
  release(): void;
}

export interface SourcePool {
  /** `identity` tells which directory is meant by the path: shares are given out only for the same one. */
  hold(directory: string, identity: string, listener: SourceListener): Hold;
  /** Resolves when everything that was released is closed. */
  idle(): Promise<void>;
}

interface Entry {
  readonly source: NotifySource;
  readonly listeners: Set<SourceListener>;
  alive: boolean;
}

/** Notification sources, shared by whoever needs the same directory and closed with the last of them. */
export function createSourcePool(open: OpenNotifySource, clock: Clock): SourcePool {
  const entries = new Map<string, Entry>();
  const closing = new Set<Promise<void>>();

  const openEntry = (key: string, directory: string): Entry => {
    const listeners = new Set<SourceListener>();
    const source = open(
      directory,
      {
        onEvent: (self) => {
          if (self) entry.alive = false;
          for (const listener of listeners) listener.onEvent();
        },
        onError: (error) => {
          entry.alive = false;
          for (const listener of listeners) listener.onError(error);
        },
      },
      clock,
    );
    const entry: Entry = { source, listeners, alive: true };
    // Whoever holds it awaits it; without a holder a failure is of no interest.
    source.ready.catch(() => {
      entry.alive = false;
    });
    entries.set(key, entry);
    return entry;
  };

  return {
    hold(directory, identity, listener) {
      const key = `${identity} ${directory}`;
      const present = entries.get(key);
      const entry = present?.alive === true ? present : openEntry(key, directory);
      entry.listeners.add(listener);
      return {
        ready: entry.source.ready,
        isAlive: () => entry.alive,
        release() {
          if (!entry.listeners.delete(listener) || entry.listeners.size > 0) return;
          if (entries.get(key) === entry) entries.delete(key);
          const closed = entry.source.close().catch(() => {});
          closing.add(closed);
          void closed.then(() => closing.delete(closed));
        },
      };
    },
    async idle() {
      await Promise.all(closing);
    },
  };
}
