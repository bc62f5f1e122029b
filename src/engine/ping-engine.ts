import { request as httpRequest } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { deadlineScope } from '../async/abort.ts';
import type { Clock } from '../clock/clock.ts';
import { errorMessage } from '../errors.ts';
import { oneLine } from './engine-error.ts';
import { resolveEndpoint } from './engine-place.ts';
import type { EngineEndpoint, EnginePlace } from './engine-place.ts';

export type PingOutcome =
  | 'ok'
  /** No such socket file or host. */
  | 'missing'
  /** Nobody listens there. */
  | 'refused'
  | 'permission-denied'
  /** Somebody accepts, and does not answer within the limit. */
  | 'no-answer'
  /** Somebody answers, and it is no container engine. */
  | 'not-an-engine'
  /** The address itself cannot be used. */
  | 'invalid-address'
  | 'failed';

export interface Ping {
  readonly outcome: PingOutcome;
  /** One readable line. */
  readonly detail: string;
  /** The newest API version that the engine speaks, as it says; empty unless `outcome` is `ok`. */
  readonly apiVersion: string;
}

/** How long one place may take to answer. A socket whose virtual machine is gone accepts and says nothing. */
const PING_LIMIT_MS = 5_000;

/** Asks the engine at `place` whether it is one. Rejects only when `signal` aborts, with its reason. */
export async function pingEngine(place: EnginePlace, clock: Clock, signal: AbortSignal): Promise<Ping> {
  let endpoint: EngineEndpoint;
  try {
    endpoint = await resolveEndpoint(place);
  } catch (error) {
    return { outcome: 'invalid-address', detail: errorMessage(error), apiVersion: '' };
  }
  const limit = deadlineScope(clock, PING_LIMIT_MS, 'Asking the engine', signal);
  try {
    const response = await get(endpoint, limit.signal);
    const apiVersion = response.headers['api-version'];
    if (response.statusCode === 200 && typeof apiVersion === 'string') {
      return { outcome: 'ok', detail: `API version ${oneLine(apiVersion)}`, apiVersion };
    }
    return {
      outcome: 'not-an-engine',
      detail: `answered the ping with status ${response.statusCode}, without an API version`,
      apiVersion: '',
    };
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    if (limit.signal.aborted)
      return { outcome: 'no-answer', detail: `no answer within ${PING_LIMIT_MS / 1000} s`, apiVersion: '' };
    return { outcome: outcomeOf(error), detail: oneLine(errorMessage(error)), apiVersion: '' };
  } finally {
    limit.release();
  }
}

function get(endpoint: EngineEndpoint, signal: AbortSignal): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const options = { path: '/_ping', method: 'GET', agent: false as const, signal };
    const request =
      'socketPath' in endpoint
        ? httpRequest({ ...options, socketPath: endpoint.socketPath })
        : endpoint.protocol === 'https'
          ? httpsRequest({ ...options, ...endpoint, protocol: 'https:' })
          : httpRequest({ ...options, ...endpoint, protocol: 'http:' });
    request.on('error', reject);
    request.on('response', (response) => {
      response.on('error', () => {});
      response.resume();
      resolve(response);
    });
    request.end();
  });
}

function outcomeOf(error: unknown): PingOutcome {
  const code = error instanceof Error ? ((error as NodeJS.ErrnoException).code ?? '') : '';
  switch (code) {
    case 'ENOENT':
    case 'ENOTDIR':
    case 'ENOTFOUND':
      return 'missing';
    case 'ECONNREFUSED':
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
      return 'refused';
    case 'EACCES':
    case 'EPERM':
      return 'permission-denied';
    default:
      return code.startsWith('HPE_') || code === 'ENOTSOCK' || code === 'EPROTOTYPE' ? 'not-an-engine' : 'failed';
  }
}
