import type { Clock, Timer } from '../../clock/clock.ts';

/** What one stream may tell in a second; a container that starts commands as fast as it can stays far below. */
const EVENTS_PER_SECOND = 20_000;
const BYTES_PER_SECOND = 16 * 1_048_576;
/** The time that taking it may cost in a second. What costs more is paid for with the seconds after it. */
const MS_PER_SECOND = 200;
const SECOND_MS = 1_000;

/** Holds back a stream of events that would keep this process from everything else. */
export interface EventPace {
  /** Takes one event; its stream is paused when it has said or cost enough for this second. */
  run(bytes: number, take: () => void): void;
  /** The stream is paused. */
  readonly isHolding: boolean;
  stop(): void;
}

/** An agent that waits for us long enough closes the stream, and tells everything anew with the next one. */
export function createEventPace(clock: Clock, body: { pause(): unknown; resume(): unknown }): EventPace {
  let since = clock.now();
  let events = 0;
  let total = 0;
  let spentMs = 0;
  let timer: Timer | undefined;

  function beginSecond(): void {
    since = clock.now();
    events = 0;
    total = 0;
    spentMs = Math.max(0, spentMs - MS_PER_SECOND);
  }
  function holdFor(ms: number): void {
    timer = clock.afterFunc(
      ms,
      () => {
        timer = undefined;
        beginSecond();
        if (spentMs >= MS_PER_SECOND) holdFor(SECOND_MS);
        else body.resume();
      },
      'resident: events',
    );
  }

  return {
    run(bytes, take) {
      const began = clock.now();
      if (!timer && began - since >= SECOND_MS) beginSecond();
      try {
        take();
      } finally {
        events++;
        total += bytes;
        // A clock may jump.
        spentMs += Math.min(Math.max(0, clock.now() - began), SECOND_MS);
        if (!timer && (events >= EVENTS_PER_SECOND || total >= BYTES_PER_SECOND || spentMs >= MS_PER_SECOND)) {
          body.pause();
          holdFor(SECOND_MS);
        }
      }
    },
    get isHolding() {
      return timer !== undefined;
    },
    stop() {
      timer?.stop();
      timer = undefined;
    },
  };
}
