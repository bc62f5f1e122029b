import { createDeferred } from '../../async/deferred.ts';
import { AgentContainersError, errorMessage } from '../../errors.ts';
import type { StartBody, WireExit, WireProcess } from '../../http/runtime-wire-schemas.ts';
import type { DaemonClient } from '../client/client.ts';
import type { OutputStream } from '../client/process-socket.ts';
import { onBrokenOutput } from '../output/broken-output.ts';
import { plainText } from '../output/plain-text.ts';
import { createDetachKeys } from '../terminal/detach-keys.ts';
import { enterRawMode, type Stdio, terminalSize } from '../terminal/local-terminal.ts';
import { createTerminalModes } from '../terminal/terminal-modes.ts';
import { passInput } from './pass-input.ts';
import { type LastingConnection, openLastingConnection } from './lasting-connection.ts';
import { createOutputGate } from './output-gate.ts';

export interface SessionRequest {
  readonly client: DaemonClient;
  /** `/devcontainers/:id` */
  readonly base: string;
  /** A command that is started here and ends when it is left, or a process that runs on. */
  readonly open: { readonly start: StartBody } | { readonly process: string; readonly readOnly: boolean };
  readonly tty: boolean;
  /**
   * `pass`: standard input is passed on; with `keys` what is typed, and Ctrl-P Ctrl-Q leaves; `watch`: only that, and
   * Ctrl-C as well; `none`: it is not read.
   */
  readonly input: 'none' | 'pass' | 'keys' | 'watch';
  /** One line for a person. */
  readonly note: (text: string) => void;
}

export type EndingSignal = 'SIGINT' | 'SIGTERM' | 'SIGHUP';

/** The world of a session; replaced in tests. */
export interface SessionWorld {
  readonly stdio: Stdio;
  /** Calls back on each of these signals until the returned function is called. */
  readonly onSignals: (listener: (signal: EndingSignal) => void) => () => void;
  readonly now: () => number;
  readonly delay: (ms: number) => Promise<void>;
  readonly after: (ms: number, callback: () => void) => () => void;
}

export type SessionEnd =
  | { readonly kind: 'exit'; readonly exit: WireExit; readonly process: WireProcess }
  /** `signal`: of ours; `output`: nobody reads any more, with our exit code for that. */
  | {
      readonly kind: 'left';
      readonly by: 'keys' | EndingSignal | { readonly output: number };
      readonly process: WireProcess;
    };

type LeftBy = Extract<SessionEnd, { kind: 'left' }>['by'];

/** A person who presses it so often wants an end, whatever the command makes of it. */
const SIGNALS_TO_END = 3;

/**
 * Connects this process' standard streams with a process in a container until that ends or is left. The local terminal
 * is as it was afterwards, also when this rejects: with a typed error, before or after the start.
 */
export async function runSession(request: SessionRequest, world: SessionWorld): Promise<SessionEnd> {
  const { stdio } = world;
  const isOwner = 'start' in request.open;
  const left = createDeferred<LeftBy>();
  const ready = createDeferred<LastingConnection>();
  const unreadable = createDeferred<never>();
  const modes = createTerminalModes();
  const undo: (() => void)[] = [];
  let leaveRawMode: (() => void) | undefined;
  // A line of ours in the middle of what a program draws.
  const say = (text: string): void => request.note(leaveRawMode ? `\r\n${text}\r` : text);
  const onBroken = (code: number): void => left.resolve({ output: code });
  undo.push(onBrokenOutput('end', stdio, onBroken));

  let connection: LastingConnection | undefined;
  const gate = createOutputGate(stdio, () => connection?.resume());
  const onOutput = (stream: OutputStream, bytes: Uint8Array): boolean => {
    if (request.tty && stream === 'stdout') modes.watch(bytes);
    return gate.write(stream, bytes);
  };
  try {
    // Who only watches has no say in its size.
    const size = request.tty && request.input === 'keys' ? terminalSize(stdio) : undefined;
    const opened = await openLastingConnection({
      client: request.client,
      base: request.base,
      open: 'start' in request.open ? request.open : { ...request.open, size },
      // What answers to the first output must not be taken for us: a key, a signal.
      onStarted() {
        const takeSignal = createSignalPolicy(isOwner, request.tty, left.resolve);
        undo.push(world.onSignals((signal) => void ready.promise.then((to) => takeSignal(signal, to))));
        if (!request.tty || request.input === 'none' || !stdio.stdin.isTTY) return;
        leaveRawMode = enterRawMode(stdio.stdin);
      },
      onOutput,
      // What is drawn on a terminal is drawn anew soon; a note would stand in the middle of it.
      onSkip: (bytes) => {
        if (!request.tty) say(`${bytes} bytes of output were not kept for so slow a reader.`);
      },
      onAway: () => say('The daemon has gone; waiting up to 30 s for it to come back. What runs goes on.'),
      onBack: (lost) =>
        say(lost > 0 ? `Back again; ${lost} bytes of output are no longer kept.` : 'Back again, nothing is lost.'),
      now: world.now,
      delay: world.delay,
    });
    connection = opened;
    ready.resolve(opened);
    if (gate.isOpen()) opened.resume();

    if (request.tty) {
      const onResize = (): void => {
        if (request.input !== 'watch') opened.resize(terminalSize(stdio));
      };
      stdio.stdout.on('resize', onResize);
      undo.push(() => stdio.stdout.removeListener('resize', onResize));
    }
    if (request.input !== 'none') {
      undo.push(startInput(request.input, opened, world, { leave: left.resolve, fail: unreadable.reject }));
    }

    const isLeft = left.promise.then((by) => ({ by }));
    const end = await Promise.race([opened.ended, isLeft, unreadable.promise]).catch(async (error: unknown) => {
      // It would take what came so far for all of it.
      if (unreadable.settled) await (isOwner ? opened.kill() : opened.detach());
      throw error;
    });
    if (end !== 'left' && !('by' in end)) {
      // What it left changed when it ended by itself was meant so.
      if (request.tty && end.reason !== 'exit') gate.write('stdout', Buffer.from(modes.restore()));
      return { kind: 'exit', exit: end, process: opened.process };
    }
    const by = end === 'left' ? 'keys' : end.by;
    const isAway = opened.isAway;
    await (isOwner ? opened.kill() : opened.detach());
    if (isOwner && isAway) say(`It may run on as ${plainText(opened.process.id)}.`);
    if (request.tty) gate.write('stdout', Buffer.from(modes.restore()));
    return { kind: 'left', by, process: opened.process };
  } catch (error) {
    if (request.tty) gate.write('stdout', Buffer.from(modes.restore()));
    throw error;
  } finally {
    // As long as standard input is open: one that is closed keeps its mode.
    leaveRawMode?.();
    for (const step of undo.toReversed()) step();
    gate.close();
  }
}

/** What our own signals mean for what runs. */
function createSignalPolicy(
  isOwner: boolean,
  tty: boolean,
  leave: (by: EndingSignal) => void,
): (signal: EndingSignal, connection: LastingConnection) => void {
  let count = 0;
  return (signal, connection) => {
    count++;
    // The terminal has gone, or whoever sends it means us; what is only looked at goes on.
    const isForUs = !isOwner || (tty && signal !== 'SIGINT') || connection.isAway;
    if (isForUs || count >= SIGNALS_TO_END) return leave(signal);
    void connection.signal(signal).then((isSent) => {
      if (!isSent) leave(signal);
    });
  };
}

function startInput(
  kind: 'pass' | 'keys' | 'watch',
  connection: LastingConnection,
  { stdio, after }: SessionWorld,
  { leave, fail }: { readonly leave: (by: LeftBy) => void; readonly fail: (error: Error) => void },
): () => void {
  const byKeys = (): void => leave('keys');
  if (kind === 'pass') {
    // A key that ends nothing must not keep a person waiting for a daemon that is away.
    const isCtrlC = (bytes: Uint8Array): boolean =>
      connection.isAway && stdio.stdin.isRaw === true && bytes.includes(3);
    const pass = async (bytes: Uint8Array): Promise<void> =>
      isCtrlC(bytes) ? leave('SIGINT') : connection.send(bytes);
    return passInput(stdio.stdin, pass, (error) => {
      // A terminal that cannot be read any more has gone, and that is its end.
      if (stdio.stdin.isTTY) void connection.send(new Uint8Array(0));
      else fail(unreadableInput(error));
    });
  }
  const keys = createDetachKeys({
    pass: (bytes) => {
      if (connection.isAway) {
        if (bytes.includes(3)) byKeys();
        return;
      }
      void connection.send(bytes);
    },
    leave: byKeys,
    after,
    isWatching: kind === 'watch',
  });
  // The end of the keys is the end of their terminal.
  const take = (bytes: Uint8Array): void => (bytes.length === 0 ? byKeys() : keys.push(bytes));
  const stop = passInput(stdio.stdin, take, byKeys);
  return () => {
    keys.stop();
    stop();
  };
}

function unreadableInput(error: Error): AgentContainersError {
  return new AgentContainersError('cancelled', `Reading standard input failed: ${errorMessage(error)}.`);
}
