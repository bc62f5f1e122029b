import { linkedScope, sleep } from '../async/abort.ts';
import type { Scope } from '../async/abort.ts';
import type { Clock } from '../clock/clock.ts';
import { cancelled, errorMessage } from '../errors.ts';
import type { Logger } from '../logger.ts';
import type { EngineConnection } from './engine-connection.ts';
import { EXEC_ENDS, FOLLOWING_EVENTS, openEvents, readEvents } from './engine-events.ts';

/** Tells running exec sessions when it is worth looking whether they have ended. */
export interface ExecExits {
  /**
   * Calls `onHint` when the engine reports the end of this exec, and when reports may have been missed. Returns the call
   * that stops it.
   */
  watch(execId: string, onHint: () => void): () => void;
}

/** How far an event stream reaches back, so that nothing is missed between two of them. */
const OVERLAP_MS = 5_000;
const FIRST_RETRY_MS = 1_000;
/** Also the time after which a stream counts as healthy, so that the next retry comes soon. */
const LAST_RETRY_MS = 60_000;

/**
 * One event stream for all sessions, open only while there is one. It is what makes an exec that runs for days free of
 * polling, and what ends a session on an engine that keeps the stream open while children of the command hold it.
 */
export function createExecExits(connection: EngineConnection, clock: Clock, logger: Logger): ExecExits {
  const sessions = new Map<string, () => void>();
  let following: Scope | undefined;

  const hintAll = (): void => {
    for (const onHint of sessions.values()) onHint();
  };

  const followOnce = async (signal: AbortSignal): Promise<void> => {
    const query = { since: clock.now() - OVERLAP_MS, signal };
    const reply = await connection.use(FOLLOWING_EVENTS, signal, (transport) =>
      openEvents(transport, query, EXEC_ENDS),
    );
    hintAll();
    for await (const event of readEvents(reply, logger, signal)) sessions.get(event.labels['execID'] ?? '')?.();
  };

  const follow = async (signal: AbortSignal): Promise<void> => {
    let retryMs = FIRST_RETRY_MS;
    while (!signal.aborted) {
      const startedAt = clock.now();
      try {
        await followOnce(signal);
      } catch (error) {
        if (signal.aborted) return;
        logger.debug({ reason: errorMessage(error) }, 'The stream of command ends broke off');
      }
      hintAll();
      if (clock.now() - startedAt >= LAST_RETRY_MS) retryMs = FIRST_RETRY_MS;
      await sleep(clock, retryMs, signal, 'exec-exits').catch(() => {});
      retryMs = Math.min(retryMs * 2, LAST_RETRY_MS);
    }
  };

  return {
    watch(execId, onHint) {
      sessions.set(execId, onHint);
      if (!following) {
        following = linkedScope(connection.closing);
        void follow(following.signal);
      }
      return () => {
        sessions.delete(execId);
        if (sessions.size > 0 || !following) return;
        following.abort(cancelled('superseded'));
        following = undefined;
      };
    },
  };
}
