import { randomBytes } from 'node:crypto';
import type { AgentContainers, ListResult } from '../agentcontainers/api.ts';
import type { Clock, Timer } from '../clock/clock.ts';
import { AgentContainersError } from '../errors.ts';
import { LIMITS } from './limits.ts';
import { toWireList } from './wire.ts';

/** One state of the list, encoded once for all who watch. */
export interface Frame {
  /** Id of the server-sent event: where the feed began, then a counter. */
  readonly id: string;
  /** The list response, UTF-8 JSON. */
  readonly json: Buffer;
  /** The same as a server-sent event. */
  readonly event: Buffer;
}

/**
 * INVARIANTS
 * - The library is subscribed to from the first `open` until nobody has listened for a while.
 * - Frames come in the order of the changes; the last one is the state of the last change, at most `coalesceMs` late.
 * - Two frames in a row always differ.
 * - Ids of different runs of a feed never meet, so a client can tell a gap from a restart.
 */
export class ListFeed {
  readonly #api: AgentContainers;
  readonly #clock: Clock;
  readonly #coalesceMs: number;
  readonly #listeners = new Set<(frame: Frame) => void>();
  #unsubscribe: (() => void) | undefined;
  #epoch = '';
  #count = 0;
  #frames: Frame[] = [];
  #bytes = 0;
  #due: ListResult | undefined;
  #pause: Timer | undefined;
  #linger: Timer | undefined;
  #closed = false;

  constructor(api: AgentContainers, clock: Clock, coalesceMs: number = LIMITS.coalesceMs) {
    this.#api = api;
    this.#clock = clock;
    this.#coalesceMs = coalesceMs;
  }

  /** The present state, after the first pass. Rejects with `list-failed` or `api-closed`. */
  async open(): Promise<void> {
    this.#throwIfClosed();
    // Before the list is asked for, so that no change falls between the two.
    this.#begin();
    let list: ListResult;
    try {
      list = await this.#api.list();
    } catch (error) {
      this.#lingerIfIdle();
      throw error;
    }
    this.#throwIfClosed();
    // The run can have ended meanwhile; nobody listens yet.
    this.#begin();
    if (this.#frames.length === 0) this.#publish(this.#due ?? list);
    else if (this.#due) this.#publish(this.#due);
    this.#lingerIfIdle();
  }

  /** The present state; `undefined` before the first `open` and after the end of a run. */
  get latest(): Frame | undefined {
    return this.#frames.at(-1);
  }

  /** What came after the event with this id, oldest first; `undefined` when that is no longer known. */
  since(lastEventId: string): readonly Frame[] | undefined {
    const at = this.#frames.findIndex((frame) => frame.id === lastEventId);
    return at < 0 ? undefined : this.#frames.slice(at + 1);
  }

  listen(listener: (frame: Frame) => void): () => void {
    this.#linger?.stop();
    this.#linger = undefined;
    this.#listeners.add(listener);
    return () => {
      if (this.#listeners.delete(listener)) this.#lingerIfIdle();
    };
  }

  close(): void {
    this.#closed = true;
    this.#listeners.clear();
    this.#end();
  }

  #throwIfClosed(): void {
    if (this.#closed) throw new AgentContainersError('api-closed', 'Watching failed: the server is closing.');
  }

  #begin(): void {
    if (this.#unsubscribe) return;
    this.#epoch = randomBytes(6).toString('hex');
    this.#unsubscribe = this.#api.subscribe((list) => this.#onChange(list));
  }

  #end(): void {
    this.#unsubscribe?.();
    this.#unsubscribe = undefined;
    this.#pause?.stop();
    this.#pause = undefined;
    this.#linger?.stop();
    this.#linger = undefined;
    this.#due = undefined;
    this.#frames = [];
    this.#bytes = 0;
  }

  #lingerIfIdle(): void {
    if (this.#closed || this.#linger || this.#listeners.size > 0) return;
    this.#linger = this.#clock.afterFunc(LIMITS.lingerMs, () => this.#end(), 'http: end the idle list feed');
  }

  /** The first change goes out at once, those that follow closely go out together. */
  #onChange(list: ListResult): void {
    if (this.#pause) this.#due = list;
    else this.#publish(list);
  }

  #publish(list: ListResult): void {
    this.#due = undefined;
    this.#pause?.stop();
    this.#pause = this.#clock.afterFunc(
      this.#coalesceMs,
      () => {
        this.#pause = undefined;
        if (this.#due) this.#publish(this.#due);
      },
      'http: send coalesced changes',
    );
    const json = Buffer.from(JSON.stringify(toWireList(list)));
    if (this.#frames.at(-1)?.json.equals(json)) return;
    const id = `${this.#epoch}-${++this.#count}`;
    const event = Buffer.concat([Buffer.from(`id: ${id}\ndata: `), json, Buffer.from('\n\n')]);
    const frame: Frame = { id, json, event };
    this.#keep(frame);
    for (const listener of this.#listeners) listener(frame);
  }

  #keep(frame: Frame): void {
    this.#frames.push(frame);
    this.#bytes += frame.event.length;
    while (this.#frames.length > 1 && (this.#frames.length > LIMITS.replayFrames || this.#bytes > LIMITS.replayBytes)) {
      this.#bytes -= this.#frames.shift()?.event.length ?? 0;
    }
  }
}
