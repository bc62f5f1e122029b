import { linkedScope, sleep } from '../../async/abort.ts';
import { cancelled, errorMessage } from '../../errors.ts';
import type { Timer } from '../../clock/clock.ts';
import { EVENT_OVERLAP, RECONNECT_FIRST, RECONNECT_LAST, SILENT_STREAM } from '../constants.ts';
import type { Runtime } from './runtime.ts';

/** Follows the engine's events. They are hints: each leads to a pass, and none is needed for the state to converge. */
export interface EventLoop {
  /** Opens the stream; runs until the library closes. */
  run(): Promise<void>;
  /** A stream is open and a pass has succeeded since it was opened. */
  isHealthy(): boolean;
}

export interface EventListener {
  /** Something happened to this container. */
  onEvent(containerId: string): void;
  /** Events may have been missed. */
  onGap(): void;
}

export function createEventLoop(rt: Runtime, listener: EventListener, random: () => number): EventLoop {
  const { clock, engine, logger } = rt.ports;
  let openSince: number | undefined;
  let lastEventAt = clock.now();

  /** Reads one stream to its end. Returns true when it was of use, so that the next try need not wait long. */
  async function follow(): Promise<boolean> {
    const scope = linkedScope(rt.closing);
    let silence: Timer | undefined;
    const watchSilence = (): void => {
      silence?.stop();
      silence = clock.afterFunc(SILENT_STREAM, () => scope.abort(cancelled('superseded')), 'silent event stream');
    };
    let useful = false;
    try {
      watchSilence();
      openSince = clock.now();
      for await (const event of engine.events({ since: lastEventAt - EVENT_OVERLAP, signal: scope.signal })) {
        useful = true;
        lastEventAt = Math.max(lastEventAt, event.at);
        watchSilence();
        listener.onEvent(event.containerId);
      }
    } catch (error) {
      if (!scope.signal.aborted) throw error;
      useful = true;
    } finally {
      silence?.stop();
      openSince = undefined;
      scope.release();
    }
    return useful;
  }

  return {
    async run() {
      let wait = RECONNECT_FIRST;
      let reported = false;
      while (!rt.closing.aborted) {
        try {
          if (await follow()) wait = RECONNECT_FIRST;
        } catch (error) {
          if (!reported) logger.warn({ err: error }, `${errorMessage(error)} Trying again until the engine answers.`);
          reported = true;
        }
        if (rt.closing.aborted) return;
        await sleep(clock, wait / 2 + (random() * wait) / 2, rt.closing, 'event stream').catch(() => {});
        wait = Math.min(RECONNECT_LAST, wait * 2);
        if (rt.closing.aborted) return;
        listener.onGap();
        await rt.pass();
        if (reported && rt.store.state.observation.status === 'ok') {
          logger.info({}, 'The engine answers again.');
          reported = false;
          wait = RECONNECT_FIRST;
        }
      }
    },
    isHealthy() {
      const { observation } = rt.store.state;
      return openSince !== undefined && observation.status === 'ok' && observation.at >= openSince;
    },
  };
}
