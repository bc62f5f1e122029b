// INVARIANTS
// - Output comes out once and in order, over any number of connections, but for what was no longer kept.
// - `ended` settles once. Standard input that may have been lost on the way is never passed over in silence: after a
//   connection broke off, what was sent is compared with what was written to the process.
import type { TerminalSize } from '../../agentcontainers/ports.ts';
import { createDeferred } from '../../async/deferred.ts';
import { AgentContainersError, errorMessage, isAgentContainersError } from '../../errors.ts';
import type { StartBody, WireExit, WireProcess } from '../../http/runtime-wire-schemas.ts';
import type { DaemonClient } from '../client/client.ts';
import { openProcessSocket, type OutputStream, type ProcessSocket } from '../client/process-socket.ts';
import { attachPath, killPath, signalPath } from './process-paths.ts';

export interface LastingOptions {
  readonly client: DaemonClient;
  /** `/devcontainers/:id` */
  readonly base: string;
  /** A command that is started and ends with its connection, or a process to look at. */
  readonly open:
    | { readonly start: StartBody }
    | { readonly process: string; readonly readOnly: boolean; readonly size?: TerminalSize | undefined };
  /** Called once, before the first output. */
  readonly onStarted: () => void;
  /** False: hold back until `resume`. */
  readonly onOutput: (stream: OutputStream, bytes: Uint8Array) => boolean;
  /** So many bytes come no more, since this reader was too slow for what is kept. */
  readonly onSkip: (bytes: number) => void;
  readonly onAway: () => void;
  /** @param lostBytes what was not kept for us */
  readonly onBack: (lostBytes: number) => void;
  readonly now: () => number;
  readonly delay: (ms: number) => Promise<void>;
}

export interface LastingConnection {
  readonly process: WireProcess;
  readonly isAway: boolean;
  /** Rejects with a typed error. `left`: it was closed from here. */
  readonly ended: Promise<WireExit | 'left'>;
  /** Resolves when more may be sent, also once nobody takes it any more. Empty bytes are the end of standard input. */
  send(bytes: Uint8Array): Promise<void>;
  resize(size: TerminalSize): void;
  /** To the whole tree. False when it could not be sent. */
  signal(name: string): Promise<boolean>;
  resume(): void;
  /** Leaves the process running. */
  detach(): Promise<void>;
  /** Leaves, and ends the process with its whole tree. */
  kill(): Promise<void>;
}

const AWAY_MS = 30_000;
const POLL_MS = 250;
/** While the daemon starts, and finds again what runs in the container. */
const STARTING_CODES = ['daemon-unreachable', 'api-closed', 'runtime-unavailable', 'list-failed', 'timeout'] as const;

/** A connection to a process that outlives the daemon's restart. Rejects when the first one cannot be made. */
export async function openLastingConnection(options: LastingOptions): Promise<LastingConnection> {
  const { client, base, open, now, delay } = options;
  const ended = createDeferred<WireExit | 'left'>();
  let next = 0;
  let isLeaving = false;
  let reopened = createDeferred<void>();
  let size: TerminalSize | undefined;
  // Of standard input, over all connections.
  let sent = 0;
  let isEofSent = false;

  const onOutput = (stream: OutputStream, bytes: Uint8Array): void => {
    next += bytes.length;
    if (!options.onOutput(stream, bytes)) current.hold();
  };
  const onSkip = (bytes: number): void => {
    next += bytes;
    options.onSkip(bytes);
  };
  let current: ProcessSocket = openProcessSocket(client.socket, firstPath(base, open), {
    ...('start' in open ? { start: open.start } : {}),
    onStarted: options.onStarted,
    onOutput,
    onSkip,
  });
  const first = await current.started;
  let { process } = first;
  next += first.offset;
  const readOnly = 'process' in open && open.readOnly;
  let away = false;
  let wasAway = false;
  const isTyped = process.tty !== null;
  /** Written before it was ours to write. */
  const before = 'start' in open ? 0 : (process.stdin?.written ?? 0);
  reopened.resolve();
  void follow();

  async function follow(): Promise<void> {
    try {
      for (;;) {
        const end = await current.ended;
        if (end.kind === 'exit') return ended.resolve(end.exit);
        if (end.kind === 'left') return ended.resolve('left');
        if (end.kind === 'error') throw end.error;
        away = true;
        wasAway = true;
        reopened = createDeferred();
        options.onAway();
        const lost = await comeBack();
        if (isLeaving) return ended.resolve('left');
        if (isInputMissing()) await endWithoutInput();
        options.onBack(lost ?? 0);
        // It may have been on its way, too; to say it again does no harm.
        if (isEofSent && !isTyped) await current.send(new Uint8Array(0));
        away = false;
        reopened.resolve();
      }
    } catch (error) {
      ended.reject(error);
    } finally {
      reopened.resolve();
      if (isLeaving) ended.resolve('left');
    }
  }

  /** Tries until it works, for as long as a daemon may be away. */
  async function patiently<T>(work: () => Promise<T>): Promise<T | undefined> {
    const until = now() + AWAY_MS;
    for (;;) {
      try {
        return await work();
      } catch (error) {
        if (isLeaving) return undefined;
        if (!isAgentContainersError(error, ...STARTING_CODES)) throw error;
        if (now() > until) throw goneFor(process.id, error);
        await delay(POLL_MS);
        if (isLeaving) return undefined;
      }
    }
  }
  /** Returns the number of bytes of output that were not kept for us. */
  function comeBack(): Promise<number | undefined> {
    return patiently(async () => {
      const asked = next;
      // What comes before its own offset is known is added to what was seen up to now.
      const path = attachPath(base, process.id, { offset: asked, size, readOnly });
      const socket = openProcessSocket(client.socket, path, { onOutput, onSkip });
      current = socket;
      const begun = await socket.started.catch(withoutProcess);
      process = begun.process;
      const lost = Math.max(0, begun.offset - asked);
      next += lost;
      if (size && isTyped) socket.resize(size);
      return lost;
    });
  }
  /** Whom nobody tells what was written has to take it for lost. A person sees what is missing, and the end misses nothing. */
  function isInputMissing(): boolean {
    if (isTyped || sent === 0 || !process.running) return false;
    return !process.stdin || process.stdin.written < before + sent;
  }
  /** Nobody knows how much of its input it got: it must not look as if that had been all. */
  async function endWithoutInput(): Promise<never> {
    const request = { method: 'POST', path: killPath(base, process.id), body: { grace_ms: 0 } } as const;
    const isEnded = await patiently(() => client.send(request)).then(
      () => true,
      () => false,
    );
    const what = isEnded ? 'The command was ended.' : `The command may run on as ${process.id}.`;
    throw new AgentContainersError(
      'daemon-unreachable',
      `Running the command failed: the daemon went away while standard input was passed on, and a part of that may be lost. ${what} Start it again.`,
    );
  }
  const killByRequest = async (): Promise<void> => {
    await client.send({ method: 'POST', path: killPath(base, process.id), body: {} }).catch(() => {});
  };

  return {
    get process() {
      return process;
    },
    get isAway() {
      return away;
    },
    ended: ended.promise,
    async send(bytes) {
      await reopened.promise;
      if (ended.settled) return;
      sent += bytes.length;
      if (bytes.length === 0) isEofSent = true;
      await current.send(bytes);
    },
    resize(wanted) {
      size = wanted;
      if (!away) current.resize(wanted);
    },
    async signal(name) {
      const path = signalPath(base, process.id);
      // Not as a frame, which would wait behind standard input that the command does not read.
      return client.send({ method: 'POST', path, body: { signal: name, tree: true } }).then(
        () => true,
        () => false,
      );
    },
    resume: () => current.resume(),
    async detach() {
      isLeaving = true;
      await current.detach();
    },
    async kill() {
      isLeaving = true;
      // The connection that it was started with takes it along; a later one does not.
      if (wasAway || !('start' in open)) await killByRequest();
      current.close();
    },
  };
}

function firstPath(base: string, open: LastingOptions['open']): string {
  if ('start' in open) return `${base}/exec`;
  return attachPath(base, open.process, { offset: 0, readOnly: open.readOnly, size: open.size });
}

/** What an engine's exec runs, or what ran in a container that was made anew, does not outlast the daemon. */
function withoutProcess(error: unknown): never {
  if (!isAgentContainersError(error, 'process-not-found', 'devcontainer-not-running')) throw error;
  throw new AgentContainersError(
    'cancelled',
    'Following the process failed: it is gone; how it ended is not known. Start it again.',
    { cause: error },
  );
}

function goneFor(processId: string, error: unknown): AgentContainersError {
  return new AgentContainersError(
    'daemon-unreachable',
    `Following the process failed: the daemon was away for more than ${AWAY_MS / 1_000} s (${errorMessage(error)}).`,
    {
      cause: error,
      details: {
        detail: `It may run on as ${processId}. When the daemon is back: agentcontainers ps <name>, agentcontainers attach <name> ${processId}`,
      },
    },
  );
}
