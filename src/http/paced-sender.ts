/** How one client is written to. */
export interface Outlet {
  /** `done` is called when the bytes have left this process, or cannot any more. */
  send(bytes: Buffer, done: () => void): void;
  /** Bytes that were given to `send` and have not left. */
  backlog(): number;
  /** Cuts the connection off at once. */
  drop(): void;
}

/**
 * INVARIANTS
 * - At most one message is under way; while it is, only the newest further one is kept, so a slow client costs two.
 * - A client whose backlog is above the bound when something new comes up is dropped.
 */
export class PacedSender {
  readonly #outlet: Outlet;
  readonly #maxBacklog: number;
  #sending = false;
  #next: Buffer | undefined;
  #stuck = false;

  constructor(outlet: Outlet, maxBacklog: number) {
    this.#outlet = outlet;
    this.#maxBacklog = maxBacklog;
  }

  offer(bytes: Buffer): void {
    if (!this.#sending) {
      this.#send(bytes);
    } else if (this.#outlet.backlog() > this.#maxBacklog) {
      this.#next = undefined;
      this.#outlet.drop();
    } else {
      this.#next = bytes;
    }
  }

  /** True when the same message has been under way since the last time this was asked. */
  isStuck(): boolean {
    const stuck = this.#stuck;
    this.#stuck = this.#sending;
    return stuck;
  }

  get sending(): boolean {
    return this.#sending;
  }

  #send(bytes: Buffer): void {
    this.#sending = true;
    this.#stuck = false;
    this.#outlet.send(bytes, () => {
      this.#sending = false;
      this.#stuck = false;
      const next = this.#next;
      this.#next = undefined;
      if (next) this.#send(next);
    });
  }
}
