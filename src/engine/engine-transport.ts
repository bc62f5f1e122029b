import { Agent as HttpAgent } from 'node:http';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import type { Duplex, Readable } from 'node:stream';
import { inspect } from 'node:util';
import { linkedScope } from '../async/abort.ts';
import { engineFailure } from './engine-error.ts';
import type { EngineEndpoint } from './engine-place.ts';

export interface EngineRequest {
  /** Opens the error message: `Listing containers`. */
  readonly doing: string;
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'DELETE';
  /** Without the API version and without a query. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string>> | undefined;
  /** Sent as JSON. */
  readonly body?: Readonly<Record<string, unknown>> | undefined;
  /** Sent as a tar stream; a Buffer with its length, a stream in chunks. */
  readonly tar?: Buffer | Readable | undefined;
  /** Asks for the connection itself, for a stream in both directions. */
  readonly upgrade?: boolean | undefined;
  /** Ends the request, and the body when it has begun. */
  readonly signal: AbortSignal;
}

export interface EngineReply {
  /** 101 when `body` is the connection itself. */
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Readable | Duplex;
}

/** One negotiated way to talk to the engine. */
export interface EngineTransport {
  readonly apiVersion: string;
  /** Any status is an answer. Rejects when there is none, with `engine-unreachable` or the signal's reason. */
  send(request: EngineRequest): Promise<EngineReply>;
}

/** The part of docker-modem that is used. */
interface Modem {
  dial(
    options: Readonly<Record<string, unknown>>,
    callback: (error: Error | null, stream?: IncomingMessage | Duplex) => void,
  ): void;
}

/** Makes the modem take every status for a good one: it drops the text of an error when the connection breaks in it. */
const EVERY_STATUS: Readonly<Record<number, true>> = new Proxy({}, { get: () => true });

/**
 * A transport over dockerode's modem; everything under way on it ends when `closing` aborts. Only the modem's `dial` is used, always in its streaming form, because the other
 * forms never settle when the engine closes the connection inside an answer, and half-closing their standard input
 * destroys the output.
 */
export async function createEngineTransport(
  endpoint: EngineEndpoint,
  apiVersion: string,
  closing: AbortSignal,
): Promise<EngineTransport> {
  // Loading dockerode takes about 150 ms, more than a whole `list` does.
  const { default: Docker } = await import('dockerode');
  const secure = 'protocol' in endpoint && endpoint.protocol === 'https';
  const agent = secure ? new SecureAgent({ keepAlive: false }) : new PlainAgent({ keepAlive: false });
  // Each property is given, also as `undefined`: what is absent dockerode takes from DOCKER_HOST in the environment.
  const connection = {
    socketPath: undefined,
    host: undefined,
    port: undefined,
    protocol: 'http',
    ca: undefined,
    cert: undefined,
    key: undefined,
    timeout: undefined,
    pathPrefix: '/',
    version: `v${apiVersion}`,
    agent,
    ...endpoint,
  };
  const modem = new Docker(connection as ConstructorParameters<typeof Docker>[0]).modem as unknown as Modem;
  return { apiVersion, send: (request) => send(modem, request, closing) };
}

function send(modem: Modem, request: EngineRequest, closing: AbortSignal): Promise<EngineReply> {
  const scope = linkedScope(request.signal, closing);
  return new Promise<EngineReply>((resolve, reject) => {
    let answered = false;
    const fail = (error: unknown): void => {
      answered = true;
      scope.release();
      reject(engineFailure(request.doing, error, scope.signal));
    };
    if (scope.signal.aborted) return fail(scope.signal.reason);
    // The modem is told too, but it settles late or not at all while it waits for the rest of an answer.
    scope.signal.addEventListener('abort', () => answered || fail(scope.signal.reason), { once: true });
    modem.dial(dialOptions(request, scope.signal), (error, stream) => {
      if (stream) ignoreErrors(stream);
      if (answered) return void stream?.destroy();
      if (error || !stream) return fail(error ?? new Error('the engine gave no answer'));
      answered = true;
      const onAbort = (): void => void stream.destroy(scope.signal.reason as Error);
      scope.signal.addEventListener('abort', onAbort, { once: true });
      stream.once('close', () => scope.release());
      if ('statusCode' in stream) {
        resolve({ status: stream.statusCode ?? 0, headers: stream.headers, body: stream });
      } else {
        resolve({ status: 101, headers: {}, body: stream });
      }
    });
  });
}

function dialOptions(request: EngineRequest, signal: AbortSignal): Record<string, unknown> {
  const { method, path, query, body, tar, upgrade } = request;
  return {
    method,
    // The question mark tells the modem to append the query.
    path: query ? `${path}?` : path,
    options: { ...(query && { _query: query }), ...(method === 'POST' && { _body: body ?? {} }) },
    file: tar,
    hijack: upgrade === true,
    isStream: true,
    statusCodes: EVERY_STATUS,
    abortSignal: signal,
  };
}

/** A stream whose error nobody listens for ends the process. Readers get the error all the same. */
function ignoreErrors(stream: Readable | Duplex): void {
  stream.on('error', () => {});
}

// The modem formats the options of every request for its debug log, whether that is on or not: without a short form the
// whole graph of open sockets behind the agent is formatted each time. Connections are not kept, so there is no race
// with an engine that closes an idle one.
class PlainAgent extends HttpAgent {
  [inspect.custom](): string {
    return 'Agent';
  }
}

class SecureAgent extends HttpsAgent {
  [inspect.custom](): string {
    return 'Agent';
  }
}
