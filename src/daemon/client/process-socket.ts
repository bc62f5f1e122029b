// INVARIANTS
// - `ended` settles once and never rejects; `started` has settled by then.
// - Output is handed on in order; after `hold` at most what was read from the connection already still comes.
import type { IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { WebSocket } from 'ws';
import { createDeferred } from '../../async/deferred.ts';
import { AgentContainersError } from '../../errors.ts';
import { MOUNT_PATH } from '../../http/mount-path.ts';
import type { StartBody, WireExit, WireProcess } from '../../http/runtime-wire-schemas.ts';
import { answerError } from './answer-error.ts';
import { connectionError, readRefusal } from './client.ts';

export type OutputStream = 'stdout' | 'stderr';

export type ProcessSocketEnd =
  | { readonly kind: 'exit'; readonly exit: WireExit }
  /** The daemon refused it or could not go on. */
  | { readonly kind: 'error'; readonly error: AgentContainersError }
  /** The daemon went away; what runs in the container may go on. */
  | { readonly kind: 'lost' }
  /** It was closed from here. */
  | { readonly kind: 'left' };

/** A WebSocket to a process in a container: the frames of `/exec` and `/processes/:process/attach`. */
export interface ProcessSocket {
  /** What runs, and the offset at which its output begins here. Rejects with a typed error. */
  readonly started: Promise<{ readonly process: WireProcess; readonly offset: number }>;
  readonly ended: Promise<ProcessSocketEnd>;
  /** Resolves when more may be sent, which says nothing about what has arrived. Empty bytes are the end of standard input. */
  send(bytes: Uint8Array): Promise<void>;
  resize(size: { readonly width: number; readonly height: number }): void;
  /** Reads no more until `resume`. */
  hold(): void;
  resume(): void;
  /** Lets the process run on, and closes. */
  detach(): Promise<void>;
  /** Closes at once. What that means for the process is the route's matter. */
  close(): void;
}

/** Bytes of one frame of standard input. */
const FRAME_BYTES = 64 * 1_024;
/** How long a closing handshake may take. */
const CLOSE_MS = 1_000;
const NORMAL = 1_000;
const AWAY_CODES = new Set([1_001, 1_005, 1_006, 1_012, 1_013]);

/**
 * @param socket path of the daemon's Unix socket
 * @param path below the mount point, with a leading slash
 * @param options.start the first frame, of a route that takes one
 */
export function openProcessSocket(
  socket: string,
  path: string,
  options: {
    readonly start?: StartBody;
    /** Called before the first output. */
    readonly onStarted?: () => void;
    readonly onOutput: (stream: OutputStream, bytes: Uint8Array) => void;
    /** So many bytes of output come no more: they were not kept for as slow a reader. */
    readonly onSkip?: (bytes: number) => void;
  },
): ProcessSocket {
  const started = createDeferred<{ process: WireProcess; offset: number }>();
  const ended = createDeferred<ProcessSocketEnd>();
  let isLeaving = false;
  let exit: WireExit | undefined;
  /** Told along the way; what it means shows when the connection is closed. */
  let trouble: AgentContainersError | undefined;
  // Not a `ws+unix:` URL: a path may hold what a URL gives another meaning.
  const ws = new WebSocket(`ws://localhost${MOUNT_PATH}${path}`, {
    createConnection: () => connect(socket),
    perMessageDeflate: false,
    followRedirects: false,
  });

  const end = (how: ProcessSocketEnd): void => {
    if (ended.settled) return;
    started.reject(how.kind === 'error' ? how.error : connectionError(new Error('it has gone away'), socket));
    ended.resolve(how);
  };
  const fail = (error: AgentContainersError): void => end({ kind: 'error', error });

  ws.on('open', () => {
    if (options.start) ws.send(JSON.stringify(options.start));
  });
  ws.on('unexpected-response', (_request: unknown, response: IncomingMessage) => {
    readRefusal(response, socket).then(fail, (error: unknown) => fail(connectionError(error, socket)));
  });
  ws.on('error', (error) => {
    if (isLeaving) end({ kind: 'left' });
    else if (started.settled) end({ kind: 'lost' });
    else fail(connectionError(error, socket));
  });
  ws.on('close', (code, reason) => {
    if (isLeaving) end({ kind: 'left' });
    else if (exit && (code === NORMAL || !trouble)) end({ kind: 'exit', exit });
    else if (AWAY_CODES.has(code)) end({ kind: 'lost' });
    else fail(trouble ?? closedBy(code, reason.toString()));
  });
  ws.on('message', (data: Buffer, isBinary) => {
    if (ended.settled) return;
    if (isBinary) options.onOutput(data[0] === 2 ? 'stderr' : 'stdout', data.subarray(1));
    else take(data.toString());
  });

  function take(text: string): void {
    const frame = parseFrame(text);
    if (frame['type'] === 'started') {
      const { process, offset } = frame as unknown as { process: WireProcess; offset?: number };
      options.onStarted?.();
      started.resolve({ process, offset: offset ?? 0 });
    }
    if (frame['type'] === 'skipped') options.onSkip?.(Number(frame['bytes']) || 0);
    if (frame['type'] === 'error') trouble = answerError(0, frame);
    if (frame['type'] === 'exit') {
      exit = frame as unknown as WireExit;
      const timer = setTimeout(() => ws.terminate(), CLOSE_MS);
      ws.once('close', () => clearTimeout(timer));
    }
  }
  async function sendFrame(bytes: Uint8Array): Promise<void> {
    if (ws.readyState !== ws.OPEN) return;
    await new Promise<void>((resolve) => ws.send(bytes, { binary: true }, () => resolve()));
  }
  const say = (frame: object): void => {
    if (ws.readyState === ws.OPEN) ws.send(JSON.stringify(frame), () => {});
  };

  return {
    started: started.promise,
    ended: ended.promise,
    async send(bytes) {
      if (bytes.length === 0) return sendFrame(bytes);
      for (let at = 0; at < bytes.length; at += FRAME_BYTES) await sendFrame(bytes.subarray(at, at + FRAME_BYTES));
    },
    resize: ({ width, height }) => say({ type: 'resize', width, height }),
    hold: () => ws.pause(),
    resume: () => ws.resume(),
    async detach() {
      isLeaving = true;
      say({ type: 'detach' });
      ws.resume();
      ws.close(NORMAL);
      const timer = setTimeout(() => ws.terminate(), CLOSE_MS);
      await ended.promise;
      clearTimeout(timer);
    },
    close() {
      isLeaving = true;
      ws.terminate();
      end({ kind: 'left' });
    },
  };
}

function parseFrame(text: string): Record<string, unknown> {
  try {
    const frame: unknown = JSON.parse(text);
    if (typeof frame === 'object' && frame !== null) return frame as Record<string, unknown>;
  } catch {
    // As below.
  }
  // Answers may grow; what is no JSON object is none of them.
  return {};
}

function closedBy(code: number, reason: string): AgentContainersError {
  const why = reason === '' ? `it closed the connection with code ${code}` : reason.replace(/[.\s]+$/, '');
  return new AgentContainersError('daemon-unreachable', `Following the process failed: ${why}.`);
}
