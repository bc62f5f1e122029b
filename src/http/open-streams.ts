import type { ServerResponse } from 'node:http';
import { deadlineScope, raceAbort } from '../async/abort.ts';
import type { Clock } from '../clock/clock.ts';
import { AgentContainersError, cancelled } from '../errors.ts';
import { HttpRefusal } from './error-status.ts';
import { LIMITS } from './limits.ts';

/** Work for a client: `ending` aborts when the client leaves or the server closes, `left` only when the client leaves. */
type Work<T> = (ending: AbortSignal, left: AbortSignal) => Promise<T>;

/**
 * INVARIANTS
 * - Work on a stream is told to end as soon as its client has left, and by `close`.
 * - After `close` has resolved, no work on a stream runs.
 */
export class OpenStreams {
  readonly #max: number;
  readonly #clock: Clock;
  readonly #running = new Map<AbortController, Promise<void>>();
  #streams = 0;
  #closed = false;

  constructor(max: number, clock: Clock) {
    this.#max = max;
    this.#clock = clock;
  }

  /** Runs `work` as long as the client stays. It has to settle soon after `ending` aborts. Bounded in number. */
  async run<T>(res: ServerResponse, work: Work<T>): Promise<T> {
    if (this.#streams >= this.#max) {
      throw new HttpRefusal('too-many-streams', `At most ${this.#max} at a time.`, { 'retry-after': '5' });
    }
    this.#streams++;
    try {
      return await this.#track(res, work);
    } finally {
      this.#streams--;
    }
  }

  /** The same for work that answers once, takes what time it takes, and may go on after the server has closed. */
  runOnce<T>(res: ServerResponse, work: Work<T>): Promise<T> {
    return this.run(res, (ending, left) => raceAbort(work(ending, left), ending));
  }

  /**
   * Bounded in time instead, for work that answers once, and that the server leaves behind when it closes. `timeout` when there is no answer
   * long after the longest time that a request can ask for; `ending` aborts then, too.
   */
  wait<T>(res: ServerResponse, work: Work<T>): Promise<T> {
    return this.#track(res, async (closing, left) => {
      const ending = deadlineScope(this.#clock, LIMITS.answerMs, 'Serving the request', closing);
      try {
        return await raceAbort(work(ending.signal, left), ending.signal);
      } finally {
        ending.release();
      }
    });
  }

  async #track<T>(res: ServerResponse, work: Work<T>): Promise<T> {
    if (this.#closed) throw closed();
    const ending = new AbortController();
    const left = new AbortController();
    const leave = (): void => {
      left.abort(cancelled('caller-left'));
      ending.abort(left.signal.reason);
    };
    if (res.destroyed) leave();
    res.once('close', leave);
    // A write that loses the race against the client's leaving; `close` has told us already.
    res.on('error', leave);
    const run = work(ending.signal, left.signal);
    this.#running.set(
      ending,
      run.then(
        () => {},
        () => {},
      ),
    );
    try {
      return await run;
    } catch (error) {
      throw ending.signal.aborted && !left.signal.aborted ? closed() : error;
    } finally {
      this.#running.delete(ending);
      res.removeListener('close', leave);
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const ending of this.#running.keys()) ending.abort(cancelled('closing'));
    await Promise.all(this.#running.values());
  }
}

/** What is answered while the router closes. */
export function closed(): AgentContainersError {
  return new AgentContainersError('api-closed', 'Serving the request failed: the server is closing.');
}

/** Writes with back-pressure. Resolves with false when there is no use in going on. */
export function writeChunk(res: ServerResponse, bytes: Uint8Array, signal: AbortSignal): Promise<boolean> {
  if (signal.aborted || res.destroyed || res.writableEnded) return Promise.resolve(false);
  if (res.write(bytes)) return Promise.resolve(true);
  return new Promise((resolve) => {
    const settle = (): void => {
      res.removeListener('drain', settle);
      res.removeListener('close', settle);
      signal.removeEventListener('abort', settle);
      resolve(!signal.aborted && !res.destroyed);
    };
    res.once('drain', settle);
    res.once('close', settle);
    signal.addEventListener('abort', settle, { once: true });
  });
}
