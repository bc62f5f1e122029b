import type { Duplex, Readable } from 'node:stream';
import { linkedScope } from '../async/abort.ts';
import { createDeferred } from '../async/deferred.ts';
import type { Clock, Timer } from '../clock/clock.ts';
import type { AgentContainersError } from '../errors.ts';
import { cancelled, isAgentContainersError } from '../errors.ts';
import type { ExecExit, ExecSession } from '../agentcontainers/ports.ts';
import { engineFailure, failed } from './engine-error.ts';
import type { ExecExits } from './exec-exits.ts';
import { createExecOutput } from './exec-output.ts';
import { refusalOnStderr, refusalOnStdout, withoutNoise } from './exec-refusal.ts';
import type { EndedExec, ExecRefusal } from './exec-refusal.ts';

// INVARIANTS
// - A session settles once, and never hangs: the end of the stream, the engine's report of the exec's end, a bounded
//   number of looks after quiet, an abort or a close each lead to it.
// - While a command is quiet for long, no timer is set and no request is made for it.
// - Once settled, it holds no timer, no listener and no connection.

/** What the engine says of an exec. */
export type ExecState =
  | { readonly kind: 'waiting' | 'running' }
  | {
      readonly kind: 'ended';
      readonly exitCode: number;
      /** False when the engine never had a process for it; `undefined` when it does not tell. */
      readonly hadProcess: boolean | undefined;
      /** False when it could also not have begun yet. */
      readonly isCertain: boolean;
    };

export interface ExecSessionParts {
  readonly id: string;
  /** The connection of the started exec. */
  readonly stream: Readable | Duplex;
  readonly stdin: boolean;
  /** The first argument and the container, for messages. */
  readonly title: string;
  /** Must settle. */
  readonly inspect: () => Promise<ExecState>;
  readonly exits: ExecExits;
  readonly clock: Clock;
  readonly signals: readonly (AbortSignal | undefined)[];
}

/**
 * A command that was quiet for this long may have ended while children of it hold its output; the time doubles while
 * the quiet lasts. After so many looks the end of the stream and the engine's reports have to do.
 */
const FIRST_QUIET_MS = 250;
const MAX_QUIET_LOOKS = 8;
const DRAIN_MS = 250;
/** After its end a command's output comes from buffers of the engine. What is more, or comes later, is not its own. */
const MAX_DRAINS = 8;
const MAX_DRAIN_BYTES = 4 * 1024 * 1024;
/** The engine can end the stream just before it notes the exit. */
const FIRST_RECHECK_MS = 50;
const LAST_RECHECK_MS = 30_000;
/** An exec whose stream has ended although it has never run. */
const MAX_WAITING_RECHECKS = 10;

export function openExecSession(parts: ExecSessionParts): ExecSession {
  const { stream, clock, title } = parts;
  const scope = linkedScope(...parts.signals);
  const writable = parts.stdin && 'write' in stream ? stream : undefined;
  let phase: 'running' | 'draining' | 'settled' = 'running';
  let streamEnded = false;
  let stdinClosed = !writable;
  let looking = false;
  let lookAgain = false;
  let timer: Timer | undefined;
  let quietLooks = 0;
  let waitingLooks = 0;
  let recheckMs = FIRST_RECHECK_MS;
  let drained: EndedExec | undefined;
  let unwatch = (): void => {};
  const exited = createDeferred<ExecExit>();

  const output = createExecOutput(stream, (error) => {
    output.end(engineFailure(`Reading the output of ${title}`, error));
    settle({ exitCode: null, outputHeld: false });
  });

  const release = (): boolean => {
    if (phase === 'settled') return false;
    phase = 'settled';
    stdinClosed = true;
    timer?.stop();
    unwatch();
    scope.release();
    output.end();
    stream.destroy();
    return true;
  };
  const settle = (exit: ExecExit): void => {
    if (release()) exited.resolve(exit);
  };
  const later = (ms: number, fn: () => void | Promise<void>): void => {
    timer?.stop();
    timer = clock.afterFunc(ms, fn, 'exec-session');
  };

  /** Asks the engine for the exit, one question at a time. Never rejects. */
  const look = async (): Promise<void> => {
    lookAgain = looking;
    if (looking || phase !== 'running') return;
    looking = true;
    const received = output.received();
    const answer = await parts.inspect().catch((error: unknown) => ({ kind: 'failed' as const, error }));
    looking = false;
    if (phase !== 'running') return;
    switch (answer.kind) {
      case 'ended':
        if (streamEnded || answer.isCertain || output.received() > 0) return onExit(answer);
        break;
      case 'failed':
        // Without its stream nothing more can be learned; with it, the stream will tell.
        if (streamEnded) return settle({ exitCode: null, outputHeld: false });
        if (isAgentContainersError(answer.error, 'engine-object-not-found')) return drain();
        output.passHeld();
        break;
      case 'waiting':
        if (streamEnded && ++waitingLooks > MAX_WAITING_RECHECKS) return settle({ exitCode: null, outputHeld: false });
        break;
      case 'running':
        // What came later can be the engine's after all.
        if (output.received() === received) output.passHeld();
        break;
    }
    if (lookAgain) return look();
    if (streamEnded) {
      later(recheckMs, () => look());
      recheckMs = Math.min(recheckMs * 2, LAST_RECHECK_MS);
    }
  };

  const refusalOf = (ended: EndedExec): ExecRefusal | undefined =>
    refusalOnStdout(ended, output.beginning()) ?? refusalOnStderr(ended, output.held());

  const conclude = (ended: EndedExec | undefined, outputHeld: boolean): void => {
    const refusal = ended && refusalOf(ended);
    if (ended) output.passHeld(refusal ? Buffer.alloc(0) : withoutNoise(ended, output.held()));
    if (!refusal) settle({ exitCode: ended?.exitCode ?? null, outputHeld });
    else if (release()) exited.reject(notStarted(title, refusal));
  };

  const onExit = (ended: EndedExec): void => {
    if (streamEnded || refusalOf(ended)) conclude(ended, false);
    else drain(ended);
  };

  /** Takes what is left, until the stream ends or was quiet. Without `ended` it is not known how the command ended. */
  const drain = (ended?: EndedExec): void => {
    phase = 'draining';
    drained = ended;
    // An engine can keep the stream open as long as it might have input to pass on.
    if (writable && !stdinClosed) writable.end();
    stdinClosed = true;
    const start = output.received();
    let before = start;
    let drains = 0;
    output.liftBackPressure();
    const check = (): void => {
      const now = output.received();
      drains++;
      if (now === before || drains >= MAX_DRAINS || now - start > MAX_DRAIN_BYTES) {
        conclude(ended, true);
      } else {
        before = now;
        later(DRAIN_MS, check);
      }
    };
    later(DRAIN_MS, check);
  };

  const onStreamEnd = (): void => {
    if (streamEnded || phase === 'settled') return;
    streamEnded = true;
    if (phase === 'draining') return conclude(drained, false);
    // Whose words are held, only the exit tells.
    if (output.held().length === 0) output.end();
    timer?.stop();
    void look();
  };

  let quietMs = FIRST_QUIET_MS;
  let quietSince = clock.now();
  let quietTimer = false;
  const awaitQuiet = (ms: number): void => {
    if (quietTimer || quietLooks >= MAX_QUIET_LOOKS || phase !== 'running' || streamEnded) return;
    quietTimer = true;
    later(ms, async () => {
      quietTimer = false;
      const missing = quietSince + quietMs - clock.now();
      // Never longer than the whole wait, also when the wall clock was set back.
      if (missing > 0) return awaitQuiet(Math.min(missing, quietMs));
      quietMs *= 2;
      quietLooks++;
      await look();
      awaitQuiet(quietMs);
    });
  };

  stream.on('data', () => {
    quietSince = clock.now();
    quietMs = FIRST_QUIET_MS;
    // Whose words are held has to be asked, however often that was in vain.
    if (output.held().length > 0) quietLooks = Math.min(quietLooks, MAX_QUIET_LOOKS - 1);
    awaitQuiet(quietMs);
  });
  // The end of a broken stream is its `close`.
  stream.on('error', () => {});
  stream.on('end', onStreamEnd);
  stream.on('close', onStreamEnd);
  if (scope.signal.aborted) settle({ exitCode: null, outputHeld: false });
  else {
    scope.signal.addEventListener('abort', () => settle({ exitCode: null, outputHeld: false }), { once: true });
    unwatch = parts.exits.watch(parts.id, () => void look());
    awaitQuiet(quietMs);
    if (stream.destroyed) onStreamEnd();
  }

  return {
    id: parts.id,
    stdout: output.stdout,
    stderr: output.stderr,
    exited: exited.promise,
    write(bytes) {
      const doing = `Writing to ${title}`;
      if (!writable)
        return Promise.reject(failed('engine-request-failed', doing, 'its standard input was not asked for'));
      if (stdinClosed) return Promise.reject(failed('engine-request-failed', doing, 'its standard input is closed'));
      return new Promise((resolve, reject) => {
        writable.write(bytes, (error) => (error ? reject(engineFailure(doing, error)) : resolve()));
      });
    },
    closeStdin() {
      if (stdinClosed) return;
      stdinClosed = true;
      writable?.end();
    },
    close: () => scope.abort(cancelled('caller-left')),
  };
}

function notStarted(title: string, { exitCode, reason }: ExecRefusal): AgentContainersError {
  return failed('engine-request-failed', `Starting ${title}`, reason, undefined, { exitCode });
}
