import { linkedScope, sleep } from '../../async/abort.ts';
import { cancelled, errorMessage } from '../../errors.ts';
import type { Timer } from '../../clock/clock.ts';
import { EVENT_OVERLAP, RECONNECT_FIRST, RECONNECT_LAST, SILENT_STREAM } from '../constants.ts';
import type { EngineEvent } from '../ports.ts';
import type { Runtime } from './runtime.ts';

/** Follows the engine's events. They are hints: each of a container leads to a pass, and none is needed for the state to converge. */
export interface EventLoop {
  /** Opens the stream; runs until the library closes. */
  run(): Promise<void>;
  /** A stream is known to be open, and the last pass succeeded. */
  isHealthy(): boolean;
}

export interface EventListener {
  /** Something happened to this container. */
  onEvent(containerId: string): void;
  /** A reference may mean another image now, so that what a configuration builds on may have changed. */
  onImageEvent(): void;
  /** Events may have been missed. */
  onGap(): void;
}

export function createEventLoop(rt: Runtime, listener: EventListener, random: () => number): EventLoop {
  const { clock, engine, logger } = rt.ports;
  // That a stream is open is known only from an event that came through it: Podman answers nothing before the first.
  let proven = false;
  let reported = false;
  /** Failures in a row while listings worked, so that the engine itself is there. */
  let failures = 0;
  let wait = RECONNECT_FIRST;
  let lastEventAt = clock.now();

  function onEvent(event: EngineEvent): void {
    lastEventAt = Math.max(lastEventAt, event.at);
    if (reported) logger.info({}, 'Following the events of the engine works again.');
    proven = true;
    reported = false;
    failures = 0;
    wait = RECONNECT_FIRST;
    if (event.type === 'image') listener.onImageEvent();
    else listener.onEvent(event.subjectId);
  }

  /** Reads one stream to its end. */
  async function follow(): Promise<void> {
    const scope = linkedScope(rt.closing);
    let silence: Timer | undefined;
    const watchSilence = (): void => {
      silence?.stop();
      silence = clock.afterFunc(SILENT_STREAM, () => scope.abort(cancelled('superseded')), 'silent event stream');
    };
    try {
      watchSilence();
      for await (const event of engine.events({ since: lastEventAt - EVENT_OVERLAP, signal: scope.signal })) {
        watchSilence();
        onEvent(event);
      }
    } catch (error) {
      // A stream that was silent for so long may be a dead one: it is opened anew, and that is no failure.
      if (!scope.signal.aborted) throw error;
      wait = RECONNECT_FIRST;
    } finally {
      silence?.stop();
      proven = false;
      scope.release();
    }
  }

  /** Says once that events cannot be followed. While listings fail too the engine is away, and the pass has said so. */
  function report(failure: unknown): void {
    // The first may be the end of an outage that is over by now.
    failures = rt.store.state.observation.status === 'ok' ? failures + 1 : 0;
    if (reported || failures < 2) return;
    logger.warn(
      { err: failure },
      `${errorMessage(failure)} Changes are seen with the next update until it works again.`,
    );
    reported = true;
  }

  return {
    async run() {
      while (!rt.closing.aborted) {
        let failure: unknown;
        await follow().catch((error: unknown) => (failure = error));
        if (rt.closing.aborted) return;
        await sleep(clock, wait / 2 + (random() * wait) / 2, rt.closing, 'event stream').catch(() => {});
        wait = Math.min(RECONNECT_LAST, wait * 2);
        if (rt.closing.aborted) return;
        listener.onGap();
        await rt.pass();
        if (failure !== undefined) report(failure);
      }
    },
    isHealthy: () => proven && rt.store.state.observation.status === 'ok',
  };
}
