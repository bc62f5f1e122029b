import { setMaxListeners } from 'node:events';
import { linkedScope } from '../async/abort.ts';
import type { Clock } from '../clock/clock.ts';
import { cancelled, isAgentContainersError } from '../errors.ts';
import type { Logger } from '../logger.ts';
import { negotiateApiVersion } from './api-version.ts';
import { discoverEngine } from './discover-engine.ts';
import type { DiscoverEngineOptions } from './discover-engine.ts';
import { UNREACHABLE_NEXT_STEP, engineFailure, failed } from './engine-error.ts';
import { resolveEndpoint } from './engine-place.ts';
import type { EnginePlace } from './engine-place.ts';
import { createEngineTransport } from './engine-transport.ts';
import type { EngineTransport } from './engine-transport.ts';
import { pingEngine } from './ping-engine.ts';

/** The lazily made connection that all calls share. */
export interface EngineConnection {
  /**
   * Runs `work` on the connection, which is made first when there is none. When the engine turns out to be gone, or to
   * have another API version, the next call connects and negotiates anew.
   */
  use<T>(doing: string, signal: AbortSignal, work: (transport: EngineTransport) => Promise<T>): Promise<T>;
  /** The address in use; connects when there is none yet. */
  address(signal: AbortSignal): Promise<string>;
  /** Aborts when the connection is closed; any number of listeners is fine. */
  readonly closing: AbortSignal;
  /** Ends everything under way. */
  close(): void;
}

export function createEngineConnection(
  options: DiscoverEngineOptions & { readonly clock: Clock; readonly logger: Logger },
): EngineConnection {
  const { clock, logger } = options;
  let transport: EngineTransport | undefined;
  // Every request under way listens on it.
  const closing = new AbortController();
  setMaxListeners(0, closing.signal);
  // Once an engine was talked to, that place is kept: while it restarts, another engine of the machine must not be taken
  // for it, since all its containers would seem to be gone.
  let place: EnginePlace | undefined;

  const connect = async (signal: AbortSignal): Promise<EngineTransport> => {
    const found = place ?? (await locate(options, signal));
    const ping = await pingEngine(found, clock, signal);
    if (ping.outcome !== 'ok') {
      throw failed(
        'engine-unreachable',
        `Connecting to the container engine at ${found.address}`,
        ping.detail,
        UNREACHABLE_NEXT_STEP,
        { address: found.address, outcome: ping.outcome },
      );
    }
    const apiVersion = negotiateApiVersion(ping.apiVersion);
    const made = await createEngineTransport(await resolveEndpoint(found), apiVersion, closing.signal);
    if (!transport) {
      logger.info({ address: found.address, source: found.source, apiVersion }, 'Connected to the container engine');
      place = found;
      transport = made;
    }
    return transport;
  };

  const open = async (doing: string, signal: AbortSignal): Promise<EngineTransport> => {
    const scope = linkedScope(closing.signal, signal);
    try {
      scope.signal.throwIfAborted();
      return transport ?? (await connect(scope.signal));
    } catch (error) {
      throw engineFailure(doing, error, scope.signal);
    } finally {
      scope.release();
    }
  };

  return {
    async use(doing, signal, work) {
      const used = await open(doing, signal);
      try {
        return await work(used);
      } catch (error) {
        // Requests under way on it, such as running execs, go on: only new ones get a new connection.
        const failure = engineFailure(doing, error, signal);
        const outdated = isAgentContainersError(failure, 'engine-unreachable', 'engine-api-version');
        if (outdated && transport === used) transport = undefined;
        throw failure;
      }
    },
    async address(signal) {
      await open('Connecting to the container engine', signal);
      return place?.address ?? '';
    },
    closing: closing.signal,
    close: () => closing.abort(cancelled('closing')),
  };
}

async function locate(options: DiscoverEngineOptions, signal: AbortSignal): Promise<EnginePlace> {
  const { chosen, tried } = await discoverEngine(options, signal);
  if (chosen) return chosen;
  const named = tried.length === 1 ? tried[0] : undefined;
  const places = tried.map(({ source, address, detail }) => `${source}${address ? ` (${address})` : ''}: ${detail}`);
  throw failed(
    'engine-unreachable',
    named ? `Connecting to the container engine of ${named.source}` : 'Finding a container engine',
    named ? `${named.address ? `${named.address}: ` : ''}${named.detail}` : `none answered at ${tried.length} places`,
    `Start Docker or Podman; \`agentcontainers doctor\` shows every place that was tried.`,
    { detail: places.join('; ') },
  );
}
