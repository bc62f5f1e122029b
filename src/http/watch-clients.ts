import type { AgentContainers } from '../agentcontainers/api.ts';
import type { Clock, Timer } from '../clock/clock.ts';
import { isAgentContainersError } from '../errors.ts';
import { HttpRefusal } from './error-status.ts';
import type { Frame } from './list-feed.ts';
import { ListFeed } from './list-feed.ts';
import { LIMITS } from './limits.ts';

export interface WatchOptions {
  /** Clients of `/watch` and `/events` together. Default 100. */
  readonly maxWatchers?: number | undefined;
  /** A client with more bytes than this unsent when a further frame is due is dropped. Default 8 MiB. */
  readonly maxBufferedBytes?: number | undefined;
  /** Default 15,000. */
  readonly pingIntervalMs?: number | undefined;
  /** Changes within this time of a frame become one further frame. Default 10. */
  readonly coalesceMs?: number | undefined;
}

export interface WatchClient {
  offer(frame: Frame): void;
  /** Called at each ping interval: pings the client, or drops it if it did not answer the last one. */
  beat(): void;
  /** Says that the server is going away; resolves when the client is gone. */
  end(): Promise<void>;
}

/** A place among the watchers; taken before the first await of an upgrade, so that the bound holds. */
export interface WatchPlace {
  /** From now on `client` gets every frame. */
  join(client: WatchClient): void;
  leave(): void;
}

/** Everyone who watches the list, by whatever transport. */
export class WatchClients {
  readonly feed: ListFeed;
  readonly maxBufferedBytes: number;
  readonly #api: AgentContainers;
  readonly #clock: Clock;
  readonly #pingIntervalMs: number;
  readonly #max: number;
  readonly #clients = new Set<WatchClient>();
  #places = 0;
  #ticker: Timer | undefined;

  constructor(api: AgentContainers, clock: Clock, options: WatchOptions) {
    this.feed = new ListFeed(api, clock, options.coalesceMs);
    this.maxBufferedBytes = options.maxBufferedBytes ?? LIMITS.bufferedBytes;
    this.#api = api;
    this.#clock = clock;
    this.#pingIntervalMs = options.pingIntervalMs ?? LIMITS.pingIntervalMs;
    this.#max = options.maxWatchers ?? LIMITS.watchers;
  }

  take(): WatchPlace {
    if (this.#places >= this.#max) {
      throw new HttpRefusal('too-many-watchers', `At most ${this.#max} at a time.`, { 'retry-after': '5' });
    }
    this.#places++;
    let taken = true;
    let client: WatchClient | undefined;
    let stopListening: (() => void) | undefined;
    return {
      join: (joining) => {
        if (!taken) return;
        client = joining;
        this.#clients.add(joining);
        stopListening = this.feed.listen((frame) => joining.offer(frame));
        this.#ticker ??= this.#clock.tickerFunc(this.#pingIntervalMs, () => this.#beat(), 'http: ping watchers');
      },
      leave: () => {
        if (!taken) return;
        taken = false;
        this.#places--;
        stopListening?.();
        if (client) this.#clients.delete(client);
        if (this.#clients.size === 0) this.#stopTicker();
      },
    };
  }

  /** Ends all; resolves when they are gone. */
  async close(): Promise<void> {
    this.feed.close();
    this.#stopTicker();
    await this.#endAll();
  }

  /** An embedder may close the library and forget us: its answer tells. */
  async #beat(): Promise<void> {
    for (const client of this.#clients) client.beat();
    try {
      await this.#api.list();
    } catch (error) {
      if (isAgentContainersError(error, 'api-closed')) await this.close();
    }
  }

  async #endAll(): Promise<void> {
    await Promise.all([...this.#clients].map((client) => client.end()));
  }

  #stopTicker(): void {
    this.#ticker?.stop();
    this.#ticker = undefined;
  }
}
