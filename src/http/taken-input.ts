import type { DevcontainerRuntime } from '../agentcontainers/api.ts';
import type { CommandProcess } from '../agentcontainers/ports.ts';
import { bounded, sleep } from '../async/abort.ts';
import type { Clock } from '../clock/clock.ts';
import { LIMITS } from './limits.ts';

/** Input of one client on its way to a process. */
export interface TakenInput {
  /** What is written after all that was added before; `bytes` counts what is input. Returns `written`. */
  add(written: Promise<void>, bytes: number): Promise<void>;
  /** Settles when all that was added has been handed on. Never rejects. */
  readonly last: Promise<unknown>;
  /** Resolves when the process has been given all of it, or the time is over. Never rejects. */
  settle(clock: Clock): Promise<void>;
}

/**
 * Who lets go of a process has to wait: what was only handed on is dropped with the connection.
 *
 * @param process as it was before the first input
 */
export function takenInput(runtime: DevcontainerRuntime, process: () => CommandProcess): TakenInput {
  let last: Promise<unknown> = Promise.resolve();
  let sent = 0;
  let before: number | undefined;

  /** Where nobody tells what was written, and of what has ended, there is nothing to wait for. */
  async function isWritten(signal: AbortSignal): Promise<boolean> {
    const { running, stdin } = await runtime.process(process().id, {}, signal);
    return !running || !stdin || stdin.written >= (before ?? 0) + sent;
  }
  async function flush(clock: Clock, signal: AbortSignal): Promise<void> {
    await last;
    if (sent === 0) return;
    while (!(await isWritten(signal))) await sleep(clock, LIMITS.flushLookMs, signal, 'http: flush input');
  }

  return {
    add(written, bytes) {
      before ??= process().stdin?.written ?? 0;
      sent += bytes;
      last = written.catch(() => {});
      return written;
    },
    get last() {
      return last;
    },
    settle: (clock) =>
      bounded(clock, LIMITS.closeGraceMs, 'Taking the last input', undefined, (signal) => flush(clock, signal)).catch(
        () => {},
      ),
  };
}
