// INVARIANTS
// - It listens on the one port that it was given, or it has failed and tries again; never on another one.
// - After `close` has resolved it has no connection, no listener and no timer, and none comes.
import type { Timer } from '../../clock/clock.ts';
import { errorMessage } from '../../errors.ts';
import { FORWARD_RETRY_FIRST, FORWARD_RETRY_LAST } from '../constants.ts';
import type { KnownForward } from '../model/forward.ts';
import type { LocalListening } from '../ports.ts';
import type { ForwardConnections } from './forward-connections.ts';
import type { Runtime } from './runtime.ts';

/** One forward, until it is closed. What becomes of it is told to the store. */
export interface OpenForward {
  /** Tries now, unless it listens already. Never rejects. */
  listen(): Promise<void>;
  close(): Promise<void>;
}

/**
 * @param id of the devcontainer
 * @param first where it listens already
 */
export function createOpenForward(
  rt: Runtime,
  id: string,
  forward: KnownForward,
  connections: ForwardConnections,
  first?: LocalListening,
): OpenForward {
  const { clock, logger, localListener } = rt.ports;
  const what = `${forward.host}:${forward.port}`;
  let listening: LocalListening | undefined;
  let opening: Promise<void> | undefined;
  let retry: Timer | undefined;
  let wait = FORWARD_RETRY_FIRST;
  let hasFailed = false;
  let isClosed = false;

  function succeeded(now: LocalListening): void {
    listening = now;
    wait = FORWARD_RETRY_FIRST;
    void now.ended.then((error) => {
      listening = undefined;
      if (error && !isClosed) failed(error);
    });
    if (hasFailed) logger.info({ devcontainer: id }, `The forward to ${what} listens again.`);
    hasFailed = false;
    rt.store.dispatch({ type: 'forwardChanged', id, forwardId: forward.id });
  }

  function failed(error: unknown): void {
    const message = errorMessage(error);
    if (!hasFailed) logger.warn({ err: error, devcontainer: id }, `The forward to ${what}: ${message}`);
    hasFailed = true;
    retry?.stop();
    retry = clock.afterFunc(wait, () => listen(), 'forward');
    wait = Math.min(FORWARD_RETRY_LAST, wait * 2);
    rt.store.dispatch({ type: 'forwardChanged', id, forwardId: forward.id, error: message });
  }

  async function open(): Promise<void> {
    retry?.stop();
    try {
      const now = await localListener.listen(forward.hostPort, (connection) => connections.accept(connection));
      if (isClosed) await now.close();
      else succeeded(now);
    } catch (error) {
      if (!isClosed) failed(error);
    }
  }

  function listen(): Promise<void> {
    if (isClosed || listening) return Promise.resolve();
    opening ??= open().finally(() => {
      opening = undefined;
    });
    return opening;
  }

  if (first) succeeded(first);
  return {
    listen,
    async close() {
      isClosed = true;
      retry?.stop();
      await Promise.all([listening?.close(), connections.close(), opening]);
    },
  };
}
