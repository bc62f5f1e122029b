/** Holds calls at fault points, each right after it has made its change, until everything else that a test wants is so. */
import { createDeferred } from '../../../src/async/deferred.ts';
import type { Reach } from './fault-points.ts';

export interface HeldPoints {
  /** To be given to the wraps of fault-points.ts. */
  readonly reach: Reach;
  /**
   * Holds the next call that reaches `point` and was given one of `names`, e.g. the id of a container or a folder.
   * Resolves when it is held.
   */
  hold(point: string, names: readonly string[]): Promise<void>;
  /** Everything that is held goes on, and what is to be held and has not come yet will not be. */
  release(): void;
}

export function createHeldPoints(): HeldPoints {
  let holds: { readonly point: string; readonly names: readonly string[]; readonly onHeld: () => void }[] = [];
  let released = createDeferred<void>();
  return {
    reach(point, args) {
      const text = holds.length > 0 ? JSON.stringify(args) : '';
      const index = holds.findIndex((hold) => hold.point === point && hold.names.some((name) => text.includes(name)));
      const [hold] = index < 0 ? [] : holds.splice(index, 1);
      if (!hold) return undefined;
      hold.onHeld();
      return released.promise;
    },
    hold: (point, names) =>
      new Promise((onHeld) => {
        holds.push({ point, names, onHeld });
      }),
    release() {
      holds = [];
      released.resolve();
      released = createDeferred();
    },
  };
}
