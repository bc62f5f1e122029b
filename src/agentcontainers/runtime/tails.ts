import { linkedScope, sleep } from '../../async/abort.ts';
import { cancelled, type CancelReason } from '../../errors.ts';
import type { Clock } from '../../clock/clock.ts';
import { TAIL_TIMEOUT } from '../constants.ts';

/** The later hooks of `up`, which go on after the devcontainer is ready: at most one tail per devcontainer. */
export interface Tails {
  add(id: string, tail: { readonly abort: (reason: unknown) => void; readonly ended: Promise<void> }): void;
  /** Ends the tail of this devcontainer and waits for it, up to 15 s. */
  end(id: string, reason: CancelReason): Promise<void>;
  endAll(reason: CancelReason): void;
  /** Resolves when no tail runs. */
  drain(): Promise<void>;
}

export function createTails(clock: Clock): Tails {
  const tails = new Map<string, { abort: (reason: unknown) => void; ended: Promise<void> }>();
  const running = new Set<Promise<void>>();
  return {
    add(id, tail) {
      tails.set(id, tail);
      running.add(tail.ended);
      void tail.ended.finally(() => {
        running.delete(tail.ended);
        if (tails.get(id) === tail) tails.delete(id);
      });
    },
    async end(id, reason) {
      const tail = tails.get(id);
      if (!tail) return;
      tail.abort(cancelled(reason));
      const scope = linkedScope();
      const timeout = sleep(clock, TAIL_TIMEOUT, scope.signal, 'tail').catch(() => {});
      await Promise.race([tail.ended, timeout]);
      scope.abort(cancelled(reason));
    },
    endAll(reason) {
      for (const tail of tails.values()) tail.abort(cancelled(reason));
    },
    async drain() {
      while (running.size > 0) await Promise.all(running);
    },
  };
}
