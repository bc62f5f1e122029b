import type { ContainerConnection } from '../agentcontainers/ports.ts';
import { createQueue } from './queue.ts';

/** The far end of a connection, which a test plays. */
export interface FakePeer {
  write(text: string | Uint8Array): void;
  /** Says that nothing more will come from it. */
  end(): void;
  /** Breaks it off. */
  reset(): void;
  /** From now on it takes nothing: whoever writes to it waits, until it takes again. */
  hold(): void;
  /** From now on it takes nothing, and says so; it may still say something itself. */
  refuse(): void;
  take(): void;
  /** What it has got so far. */
  readonly received: string;
  /** It was told that nothing more will come to it. */
  readonly hasEnd: boolean;
  /** Neither side can say anything any more. `broken`: not because both had ended. */
  readonly state: 'open' | 'closed' | 'broken';
}

/** A connection in memory, and its far end. */
export function createFakeConnection(): { readonly connection: ContainerConnection; readonly peer: FakePeer } {
  const incoming = createQueue<Uint8Array>();
  const received: Uint8Array[] = [];
  let state: FakePeer['state'] = 'open';
  const ends = { ours: false, theirs: false };
  let waiting: (() => void)[] = [];
  let isHeld = false;
  let isRefusing = false;
  let settle: () => void = () => {};
  const closed = new Promise<void>((resolve) => {
    settle = resolve;
  });

  function finish(how: 'closed' | 'broken'): void {
    if (state !== 'open') return;
    state = how;
    if (how === 'broken') incoming.fail(new Error('The connection was broken off.'));
    wakeAll();
    settle();
  }
  function wakeAll(): void {
    const writers = waiting;
    waiting = [];
    for (const wake of writers) wake();
  }
  function endOf(side: 'ours' | 'theirs'): void {
    ends[side] = true;
    if (side === 'theirs') incoming.end();
    if (ends.ours && ends.theirs) finish('closed');
  }

  return {
    connection: {
      incoming,
      async write(bytes) {
        while (isHeld && state === 'open') await new Promise<void>((wake) => waiting.push(wake));
        if (state !== 'open' || ends.ours || isRefusing) throw new Error('The connection has ended.');
        received.push(Buffer.from(bytes));
      },
      end: () => endOf('ours'),
      close: () => finish('broken'),
      closed,
    },
    peer: {
      write: (text) => incoming.push(Buffer.from(text)),
      end: () => endOf('theirs'),
      reset: () => finish('broken'),
      hold() {
        isHeld = true;
      },
      refuse() {
        isRefusing = true;
      },
      take() {
        isHeld = false;
        wakeAll();
      },
      get received() {
        return Buffer.concat(received).toString();
      },
      get hasEnd() {
        return ends.ours;
      },
      get state() {
        return state;
      },
    },
  };
}
