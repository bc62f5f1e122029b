import { request as httpRequest, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { AgentContainersError, errorMessage } from '../../errors.ts';
import { MOUNT_PATH } from '../../http/mount-path.ts';
import { answerError } from './answer-error.ts';

/** Answers beyond this are refused: a list of a thousand containers takes about 2 MiB. */
const MAX_ANSWER_BYTES = 64 * 1_024 * 1_024;

export interface ClientRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** Below the mount point, with a leading slash; dynamic parts are encoded by the caller. */
  readonly path: string;
  readonly body?: unknown;
  /** Instead of a body: bytes that are sent as they come. When they end with an error, so does the request. */
  readonly content?: AsyncIterable<Uint8Array> | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface ClientAnswer {
  readonly status: number;
  /** Parsed JSON; `undefined` for an empty answer. */
  readonly body: unknown;
}

/** Talks HTTP to a daemon over its Unix socket. Errors are typed; see `answerError`. */
export interface DaemonClient {
  readonly socket: string;
  send(request: ClientRequest): Promise<ClientAnswer>;
  /** The answer as it comes in. Only for statuses below 400; others reject as with `send`. */
  stream(request: ClientRequest): Promise<IncomingMessage>;
  /** True when something answers on the socket. */
  answers(): Promise<boolean>;
}

export function createDaemonClient(socket: string): DaemonClient {
  const open = (request: ClientRequest): Promise<IncomingMessage> =>
    new Promise((resolve, reject) => {
      const content = request.body === undefined ? undefined : Buffer.from(JSON.stringify(request.body));
      const outgoing = httpRequest(
        {
          socketPath: socket,
          method: request.method,
          path: `${MOUNT_PATH}${request.path}`,
          agent: false,
          headers: {
            host: 'localhost',
            accept: 'application/json',
            ...(content === undefined ? {} : { 'content-type': 'application/json', 'content-length': content.length }),
            ...(request.content === undefined ? {} : { 'content-type': 'application/octet-stream' }),
            ...request.headers,
          },
          ...(request.signal === undefined ? {} : { signal: request.signal }),
        },
        resolve,
      );
      const failed = (error: unknown): void =>
        reject(error instanceof AgentContainersError ? error : connectionError(error, socket, request.signal));
      outgoing.on('error', failed);
      // An answer may come before all was sent: then it is what counts.
      if (request.content === undefined) outgoing.end(content);
      else pipeline(Readable.from(request.content, { objectMode: false }), outgoing).catch(failed);
    });

  const send = async (request: ClientRequest): Promise<ClientAnswer> => {
    const response = await open(request);
    const status = response.statusCode ?? 0;
    const text = await readText(response, socket, request.signal);
    const body = parseBody(text, status);
    if (status >= 400) throw answerError(status, body);
    return { status, body };
  };

  return {
    socket,
    send,

    async stream(request) {
      const response = await open(request);
      if ((response.statusCode ?? 0) < 400) return response;
      throw await readRefusal(response, socket, request.signal);
    },

    answers() {
      return new Promise((resolve) => {
        const connection = connect(socket);
        const settle = (answers: boolean) => (): void => {
          connection.destroy();
          resolve(answers);
        };
        connection.once('connect', settle(true)).once('error', settle(false)).setTimeout(2_000, settle(false));
      });
    },
  };
}

/** What a refusing answer says, as a typed error. */
export async function readRefusal(
  response: IncomingMessage,
  socket: string,
  signal?: AbortSignal,
): Promise<AgentContainersError> {
  const status = response.statusCode ?? 0;
  return answerError(status, parseBody(await readText(response, socket, signal), status));
}

async function readText(response: IncomingMessage, socket: string, signal: AbortSignal | undefined): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of response) {
      const bytes = chunk as Buffer;
      size += bytes.length;
      if (size > MAX_ANSWER_BYTES) throw new Error(`the answer is longer than ${MAX_ANSWER_BYTES} bytes`);
      chunks.push(bytes);
    }
  } catch (error) {
    throw connectionError(error, socket, signal);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function parseBody(text: string, status: number): unknown {
  if (text === '') return undefined;
  try {
    return JSON.parse(text);
  } catch {
    // Only an error may come as plain text: its status says enough.
    if (status >= 400) return { message: text.slice(0, 500) };
    throw new AgentContainersError(
      'daemon-unreachable',
      'Reading the answer of the daemon failed: it is not JSON. Is another program listening on the socket?',
    );
  }
}

/** What to tell a person when there is no answer at all. */
export function connectionError(error: unknown, socket: string, signal?: AbortSignal): AgentContainersError {
  if (signal?.aborted === true) return new AgentContainersError('cancelled', 'Cancelled.', { cause: error });
  const code = (error as NodeJS.ErrnoException).code;
  if (code === 'ENOENT' || code === 'ECONNREFUSED') {
    return new AgentContainersError(
      'daemon-unreachable',
      `Reaching the daemon failed: none is running (no answer at ${socket}).`,
      {
        cause: error,
        details: {
          detail:
            'Start one with `agentcontainers serve <roots…>`, or bring a folder up with `agentcontainers up <folder>`, which starts one by itself.',
        },
      },
    );
  }
  if (code === 'EACCES' || code === 'EPERM') {
    return new AgentContainersError(
      'daemon-unreachable',
      `Reaching the daemon failed: ${socket} belongs to another user. Run the command as the user who runs the daemon, or give your own --state-dir.`,
      { cause: error },
    );
  }
  return new AgentContainersError(
    'daemon-unreachable',
    `Talking to the daemon failed: ${errorMessage(error)}. It may have ended; look at its log, then try again.`,
    { cause: error },
  );
}
