import { createCoalescer } from '../../async/coalescer.ts';
import type { Timer } from '../../clock/clock.ts';
import { AgentContainersError } from '../../errors.ts';
import type { Clock } from '../../clock/clock.ts';
import { CONFIRM_AFTER, QUIET_FACTOR } from '../constants.ts';
import type { Observer } from './observe.ts';

/** Passes: one after another, on request and, as a safety net, by the clock. */
export interface UpdaterLoop {
  /** Starts the safety net. `isQuiet`: events would have told of any change, so that few passes are needed. */
  start(isQuiet: () => boolean, onTick: () => Promise<void>): void;
  /** A pass that begins after this call. Never rejects; resolves with what went wrong. */
  pass(): Promise<void>;
  /**
   * The same, soon: requests within the debounce time share one pass. Another follows when it has been quiet for a
   * second: engines tell of some changes a little before their own listings show them.
   */
  passSoon(): void;
  passAt(at: number): void;
  close(): Promise<void>;
}

export function createUpdaterLoop(
  clock: Clock,
  observer: Observer,
  limits: { readonly updateIntervalMs: number; readonly eventDebounceMs: number },
): UpdaterLoop {
  let lastPassAt = Number.NEGATIVE_INFINITY;
  let ticker: Timer | undefined;
  let soon: Timer | undefined;
  let confirmation: Timer | undefined;
  let retry: { readonly at: number; readonly timer: Timer } | undefined;
  let closed = false;

  const passes = createCoalescer(async () => {
    lastPassAt = clock.now();
    await observer.observe();
  });
  const pass = (): Promise<void> => passes.request().catch(() => {});

  return {
    pass,
    start(isQuiet, onTick) {
      ticker = clock.tickerFunc(
        limits.updateIntervalMs,
        async () => {
          // Compared with the clock, so that the first tick after the machine slept always leads to a pass.
          if (isQuiet() && clock.now() < lastPassAt + limits.updateIntervalMs * QUIET_FACTOR) return;
          await pass();
          await onTick();
        },
        'updater',
      );
    },
    passSoon() {
      if (closed) return;
      confirmation?.stop();
      confirmation = clock.afterFunc(CONFIRM_AFTER, () => pass(), 'confirmation');
      if (soon) return;
      soon = clock.afterFunc(
        limits.eventDebounceMs,
        () => {
          soon = undefined;
          return pass();
        },
        'debounce',
      );
    },
    passAt(at) {
      if (closed || (retry && retry.at <= at)) return;
      retry?.timer.stop();
      const timer = clock.afterFunc(
        Math.max(0, at - clock.now()),
        () => {
          retry = undefined;
          return pass();
        },
        'retry',
      );
      retry = { at, timer };
    },
    async close() {
      closed = true;
      ticker?.stop();
      soon?.stop();
      confirmation?.stop();
      retry?.timer.stop();
      await passes.close(new AgentContainersError('api-closed', 'API closed'));
    },
  };
}
