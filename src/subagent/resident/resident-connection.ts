// INVARIANTS
// - A connection ends once, with the error that says why; then every request under way rejects, and none can be made.
// - What breaks the protocol ends this connection and nothing else; what only one answer says ends that request.
// - What nobody reads is bounded by its own window and holds up no other stream.
import { constants } from 'node:http2';
import type { ClientHttp2Stream, IncomingHttpHeaders, IncomingHttpStatusHeader, OutgoingHttpHeaders } from 'node:http2';
import type { Duplex } from 'node:stream';
import { createDeferred } from '../../async/deferred.ts';
import type { Clock } from '../../clock/clock.ts';
import type { AgentContainersError, ErrorCode } from '../../errors.ts';
import { abandon } from './abandon.ts';
import { openHttp2Session } from './http2-session.ts';
import { parseJson } from './parse-json.ts';
import { readBytes } from './read-bytes.ts';
import { brokenProtocol, cutOff, late, refusalError, refusalSchema } from './resident-errors.ts';

export interface ResidentRequest {
  /** Opens the message of each error: `Listing processes`. */
  readonly doing: string;
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE' | 'CONNECT';
  /** With its query; for CONNECT the authority. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** What is sent at once. */
  readonly first?: Uint8Array | undefined;
  /** Writes more, and ends the body when there is nothing more. Default: the request is complete. */
  readonly send?: ((body: ClientHttp2Stream) => void) | undefined;
  /** Until the answer begins; one of JSON has as long again to its end, and 30 s at least. Default 30 s. */
  readonly timeoutMs?: number | undefined;
  /** What 404 means. Default `process-not-found`. */
  readonly notFound?: ErrorCode | undefined;
  /** Closes the stream, also after the answer has begun. */
  readonly signal?: AbortSignal | undefined;
}

export interface ResidentAnswer {
  readonly headers: IncomingHttpHeaders;
  /** Errors of it are listened to; its `close` tells its end. */
  readonly body: ClientHttp2Stream;
  /** There is no body, and its end may be over by now. */
  readonly isEmpty: boolean;
}

export interface ResidentConnection {
  readonly clock: Clock;
  /** Settles when it is over, with the reason. Never rejects. */
  readonly ended: Promise<AgentContainersError>;
  readonly isOpen: boolean;
  /** Resolves when a successful answer begins. */
  open(request: ResidentRequest): Promise<ResidentAnswer>;
  /** Resolves when everything that was written before has arrived on the other side. */
  confirm(): Promise<void>;
  /** Ends it: it broke the protocol. */
  fail(reason: string): AgentContainersError;
  /** Idempotent. */
  close(): void;
}

const ANSWER_TIMEOUT_MS = 30_000;
/** Without an answer for so long, a request doubts that there is anybody; then a ping has to be answered in this time. */
const DOUBT_MS = 5_000;
const ALIVE_MS = 5_000;
const LEAVE_MS = 2_000;
const REFUSAL_BYTES = 65_536;

/** Codes with which a stream ends whose other side, or our parser, found frames that cannot be. */
const VIOLATIONS = new Set<number>([
  constants.NGHTTP2_PROTOCOL_ERROR,
  constants.NGHTTP2_FLOW_CONTROL_ERROR,
  constants.NGHTTP2_FRAME_SIZE_ERROR,
  constants.NGHTTP2_COMPRESSION_ERROR,
  constants.NGHTTP2_ENHANCE_YOUR_CALM,
]);

/** Of the session, about what came and not about the stream below. */
const PARSER_ERRORS = new Set<string | undefined>(['ERR_HTTP2_ERROR', 'ERR_HTTP2_TOO_MANY_INVALID_FRAMES']);

/** HTTP/2 over the bytes of one exec session. */
export function openResidentConnection(stream: Duplex, clock: Clock): ResidentConnection {
  const ended = createDeferred<AgentContainersError>();
  let end: AgentContainersError | undefined;
  let isChecking = false;
  let isLeaving = false;
  const session = openHttp2Session(stream);

  function finish(error: AgentContainersError): AgentContainersError {
    if (end) return end;
    end = error;
    ended.resolve(error);
    session.destroy();
    stream.destroy();
    return error;
  }
  const fail = (reason: string): AgentContainersError => finish(brokenProtocol(reason));
  const cut = (): void => void finish(cutOff('Speaking to the resident'));

  session.on('error', (error: NodeJS.ErrnoException) => {
    // That of the parser; all others come from the stream below.
    if (PARSER_ERRORS.has(error.code)) fail(error.message);
    else cut();
  });
  session.on('close', cut);
  // It takes nothing more and answers what is under way; that must not wait for the end without end.
  session.on('goaway', (code) => {
    if (code !== constants.NGHTTP2_NO_ERROR) return cut();
    if (isLeaving) return;
    isLeaving = true;
    const timer = clock.afterFunc(LEAVE_MS, cut, 'resident: goaway');
    void ended.promise.then(() => timer.stop());
  });
  // What ended it is told by the session, after the stream has gone.
  stream.on('error', () => {});

  /** One that does not even answer a ping, e.g. since its container is paused or its bytes were none of HTTP/2. */
  function checkAlive(): void {
    if (isChecking || end) return;
    isChecking = true;
    const timer = clock.afterFunc(ALIVE_MS, cut, 'resident: alive');
    const onAnswer = (): void => {
      isChecking = false;
      timer.stop();
    };
    confirm().then(onAnswer, onAnswer);
  }

  function confirm(): Promise<void> {
    return new Promise((resolve, reject) => {
      const doing = 'Asking the resident for a sign of life';
      if (end) return reject(end);
      try {
        session.ping((error) => (error ? reject(end ?? cutOff(doing)) : resolve()));
      } catch {
        reject(end ?? cutOff(doing));
      }
    });
  }

  function open(request: ResidentRequest): Promise<ResidentAnswer> {
    const { doing, signal } = request;
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason as Error);
      if (end || isLeaving) return reject(end ?? cutOff(doing));
      let isAnswered = false;
      let body: ClientHttp2Stream;
      try {
        body = session.request(headersOf(request), { endStream: !request.send && !request.first });
      } catch {
        return reject(cutOff(doing));
      }
      const cancel = (): void => abandon(body);
      const limit = request.timeoutMs ?? ANSWER_TIMEOUT_MS;
      const onLate = (): void => {
        reject(late(doing));
        cancel();
      };
      let timer = clock.afterFunc(
        Math.min(limit, DOUBT_MS),
        () => {
          if (limit <= DOUBT_MS) return onLate();
          timer = clock.afterFunc(limit - DOUBT_MS, onLate, 'resident: answer');
          checkAlive();
        },
        'resident: answer',
      );
      const onAbort = (): void => {
        reject(signal?.reason as Error);
        cancel();
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      body.on('error', () => {});
      body.once('close', () => {
        timer.stop();
        signal?.removeEventListener('abort', onAbort);
        if (VIOLATIONS.has(body.rstCode ?? 0)) fail(`a stream ended with the code ${body.rstCode}`);
        // An answer that has begun is read by somebody else, who sees its end too.
        if (!isAnswered) reject(end ?? cutOff(doing));
      });
      body.once('response', (headers, flags) => {
        timer.stop();
        isAnswered = true;
        const status = statusOf(headers);
        const isEmpty = (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0;
        if (status >= 200 && status < 300) resolve({ headers, body, isEmpty });
        else void refuse(body, status, request).then(reject, reject);
      });
      if (request.first) body.write(request.first);
      if (request.send) request.send(body);
      else if (request.first) body.end();
    });
  }

  async function refuse(body: ClientHttp2Stream, status: number, request: ResidentRequest): Promise<Error> {
    const { doing, timeoutMs } = request;
    const text = await readBytes(body, { limit: REFUSAL_BYTES, doing, clock, timeoutMs }).catch(
      (error: unknown) => error as Error,
    );
    if (text instanceof Error) return text;
    const refusal = refusalSchema.safeParse(parseJson(text));
    if (!refusal.success) return fail(`it answered ${status} without saying why`);
    return refusalError(doing, status, refusal.data, request.notFound ?? 'process-not-found');
  }

  return {
    clock,
    ended: ended.promise,
    get isOpen() {
      // Streams end before their session says that it does.
      return end === undefined && !isLeaving && !session.destroyed && !session.closed;
    },
    open,
    confirm,
    fail,
    close: cut,
  };
}

function headersOf({ method, path, headers }: ResidentRequest): OutgoingHttpHeaders {
  const target = method === 'CONNECT' ? { ':authority': path } : { ':path': path };
  return { ':method': method, ...target, ...headers };
}

function statusOf(headers: IncomingHttpHeaders & IncomingHttpStatusHeader): number {
  return headers[':status'] ?? 0;
}
