import type { ServerResponse } from 'node:http';
import { AgentContainersError, cancelled } from '../errors.ts';
import { HttpRefusal } from './error-status.ts';

/**
 * INVARIANTS
 * - Work on a stream is told to end as soon as its client has left, and by `close`.
 * - After `close` has resolved, no such work runs.
 */
export class OpenStreams {
  readonly #max: number;
  readonly #running = new Map<AbortController, Promise<void>>();
  #closed = false;

  constructor(max: number) {
    this.#max = max;
  }

  /** Runs `work` as long as the client stays. It has to settle soon after its signal aborts. */
  async run(res: ServerResponse, work: (signal: AbortSignal) => Promise<void>): Promise<void> {
    if (this.#closed) throw new AgentContainersError('api-closed', 'Streaming failed: the server is closing.');
    if (this.#running.size >= this.#max) {
      throw new HttpRefusal('too-many-streams', `At most ${this.#max} at a time.`, { 'retry-after': '5' });
    }
    const controller = new AbortController();
    const leave = (): void => controller.abort(cancelled('caller-left'));
    if (res.destroyed) leave();
    res.once('close', leave);
    // A write that loses the race against the client's leaving; `close` has told us already.
    res.on('error', leave);
    const run = work(controller.signal);
    this.#running.set(
      controller,
      run.catch(() => {}),
    );
    try {
      await run;
    } finally {
      this.#running.delete(controller);
      res.removeListener('close', leave);
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const controller of this.#running.keys()) controller.abort(cancelled('closing'));
    await Promise.all(this.#running.values());
  }
}

/** Writes with back-pressure. Resolves with false when there is no use in going on. */
export function writeChunk(res: ServerResponse, bytes: Buffer, signal: AbortSignal): Promise<boolean> {
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
