import type { Clock, Timer } from '../clock/clock.ts';

/** What a process says of being busy, on the way to whoever wants to know. */
export interface BusyReports {
  /** It is busy with this, one line that is safe to show; `undefined`: it is not any more. */
  report(reason: string | undefined): void;
  /** Tells now what would be told later. */
  flush(): void;
  /** It has ended. Nothing is told after this. */
  end(): void;
}

const WINDOW_MS = 1_000;
const MAX_REASON = 200;
const NO_REASON = 'The sub-agent says that it is busy.';

/**
 * Tells of changes only, and of one a second at most: each is work for all who watch, and a process could make thousands.
 * Of those in between the last one counts.
 */
export function createBusyReports(clock: Clock, onBusy: (reason: string | undefined) => void): BusyReports {
  let told: string | undefined;
  let latest: string | undefined;
  let timer: Timer | undefined;
  // What is told of while it ends comes after its end.
  let isEnded = false;

  function tell(): void {
    if (isEnded || latest === told) return;
    told = latest;
    onBusy(told);
    timer = clock.afterFunc(
      WINDOW_MS,
      () => {
        timer = undefined;
        tell();
      },
      'sub-agent: busy',
    );
  }

  return {
    report(reason) {
      latest = reason === undefined ? undefined : reason.trim().slice(0, MAX_REASON) || NO_REASON;
      if (timer === undefined) tell();
    },
    flush() {
      timer?.stop();
      timer = undefined;
      tell();
    },
    end() {
      if (isEnded) return;
      isEnded = true;
      timer?.stop();
      if (told !== undefined) onBusy(undefined);
      told = latest = undefined;
    },
  };
}
