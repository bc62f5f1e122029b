/** Holds whoever waits at it until a test opens it. Once open it stays open. */
export interface Gate {
  readonly opened: boolean;
  /** How many wait at it now. */
  readonly waiting: number;
  open(): void;
  /** Resolves when the gate is open; rejects with the signal's reason when that aborts first. */
  wait(signal?: AbortSignal): Promise<void>;
  /** Resolves as soon as somebody waits here or the gate is open, so that a test can act in between. */
  reached(): Promise<void>;
}

export function createGate(): Gate {
  let opened = false;
  const waiters = new Set<() => void>();
  const onlookers = new Set<() => void>();

  function tell(listeners: Set<() => void>): void {
    const told = [...listeners];
    listeners.clear();
    for (const listener of told) listener();
  }

  return {
    get opened() {
      return opened;
    },
    get waiting() {
      return waiters.size;
    },
    open() {
      opened = true;
      tell(waiters);
      tell(onlookers);
    },
    async wait(signal) {
      signal?.throwIfAborted();
      if (opened) return;
      await new Promise<void>((resolve) => {
        const leave = () => {
          waiters.delete(leave);
          signal?.removeEventListener('abort', leave);
          resolve();
        };
        waiters.add(leave);
        signal?.addEventListener('abort', leave, { once: true });
        tell(onlookers);
      });
      if (!opened) signal?.throwIfAborted();
    },
    async reached() {
      if (opened || waiters.size > 0) return;
      await new Promise<void>((resolve) => onlookers.add(resolve));
    },
  };
}
