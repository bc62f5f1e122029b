// INVARIANTS
// - No more is read from the client than what was handed on and taken, and a bound.
// - `over` aborts once, as soon as either side has begun to close, or the client is found dead.
// - A waiting `room` or `flushed` resolves when it is over.
import type { WebSocket } from 'ws';
import { createDeferred } from '../async/deferred.ts';
import type { Clock, Timer } from '../clock/clock.ts';
import { cancelled, errorMessage } from '../errors.ts';
import type { Logger } from '../logger.ts';
import { LIMITS } from './limits.ts';
import { CLOSE, FrameRefusal, toCloseReason } from './socket-frames.ts';
import type { ClientFrame } from './socket-frames.ts';

/** What a frame costs beside its bytes, so that many small ones are bounded too. */
const FRAME_COST = 256;

/** Takes a frame; one that is not taken at once counts until its promise settles. */
export type FrameListener = (frame: ClientFrame) => Promise<void> | void;

export interface LiveSocketParts {
  readonly clock: Clock;
  readonly logger: Logger;
  /**
   * Its client may stop reading for as long as it likes, and cannot answer pings then: one that was sent output since it
   * last answered is not taken for dead.
   */
  readonly mayStopReading: boolean;
}

/** A WebSocket with flow control in both directions. */
export class LiveSocket {
  readonly #ws: WebSocket;
  readonly #parts: LiveSocketParts;
  readonly #over = new AbortController();
  readonly #gone = createDeferred<void>();
  readonly #waiting = new Set<() => void>();
  #listener: FrameListener = () => {};
  #unsent = 0;
  #taking = 0;
  #isHeld = false;
  #answered = true;
  #sentSinceAnswer = false;
  #closeLook: Timer | undefined;

  constructor(ws: WebSocket, parts: LiveSocketParts) {
    this.#ws = ws;
    this.#parts = parts;
    ws.on('message', (bytes, isBinary) => this.#receive({ bytes: bytes as Buffer, isBinary }));
    ws.on('pong', () => {
      this.#answered = true;
      this.#sentSinceAnswer = false;
    });
    // A broken frame or a reset; `close` follows, sooner or later.
    ws.on('error', (error) => {
      parts.logger.debug({ reason: error.message }, 'a WebSocket broke off');
      this.#end();
    });
    ws.on('close', () => {
      this.#end();
      this.#gone.resolve();
    });
  }

  /** Aborts when it is closing, whoever began. */
  get over(): AbortSignal {
    return this.#over.signal;
  }

  /** Resolves when nothing is left of the connection. */
  get gone(): Promise<void> {
    return this.#gone.promise;
  }

  /** Bytes that the client has not been sent yet. */
  get backlog(): number {
    return this.#ws.bufferedAmount;
  }

  /** To be called before the first await. What it throws closes the connection. */
  listen(listener: FrameListener): void {
    this.#listener = listener;
  }

  sendJson(frame: object): void {
    this.#send(JSON.stringify(frame));
  }

  sendBytes(bytes: Uint8Array): void {
    this.#sentSinceAnswer = true;
    this.#send(bytes);
  }

  /** Resolves when the client has been sent enough of what there is. */
  room(): Promise<void> {
    if (this.backlog <= LIMITS.socketHighBytes) return Promise.resolve();
    return this.#until(() => this.backlog <= LIMITS.socketLowBytes);
  }

  /** Resolves when the client has been sent everything. */
  flushed(): Promise<void> {
    return this.#until(() => this.#unsent === 0);
  }

  close(code: number, reason: string): void {
    if (this.over.aborted) return;
    this.#ws.close(code, toCloseReason(reason));
    this.#end();
  }

  /** Ends it for good when the client does not take part within so many milliseconds. */
  async closeWithin(code: number, reason: string, ms: number): Promise<void> {
    this.close(code, reason);
    const timer = this.#parts.clock.afterFunc(ms, () => this.#ws.terminate(), 'http: close a WebSocket');
    await this.gone;
    timer.stop();
  }

  /** Called at each ping interval: pings the client, or drops it if it did not answer the last one. */
  beat(): void {
    if (this.#isGoing()) return;
    const isExcused = this.#isHeld || (this.#parts.mayStopReading && this.#sentSinceAnswer);
    if (!this.#answered && !isExcused) {
      this.#ws.terminate();
      this.#end();
      return;
    }
    this.#answered = false;
    this.#ws.ping();
  }

  /** The client has begun to close; the library tells only when the connection is gone, which can be long after. */
  #isGoing(): boolean {
    if (this.#ws.readyState === this.#ws.OPEN) return false;
    this.#end();
    return true;
  }

  #end(): void {
    if (this.over.aborted) return;
    this.#over.abort(cancelled('caller-left'));
    this.#closeLook?.stop();
    // What still comes is read and dropped, so that the client's part of the closing is seen.
    this.#isHeld = false;
    this.#ws.resume();
    this.#wake();
  }

  #send(content: string | Uint8Array): void {
    this.#unsent++;
    this.#ws.send(content, { binary: typeof content !== 'string' }, () => {
      this.#unsent--;
      this.#wake();
    });
  }

  #wake(): void {
    for (const look of this.#waiting) look();
  }

  #until(holds: () => boolean): Promise<void> {
    const isDone = (): boolean => this.over.aborted || this.#unsent === 0 || holds();
    if (isDone()) return Promise.resolve();
    return new Promise((resolve) => {
      const look = (): void => {
        if (!isDone()) return;
        this.#waiting.delete(look);
        this.#lookClosely();
        resolve();
      };
      this.#waiting.add(look);
      this.#lookClosely();
    });
  }

  #receive(frame: ClientFrame): void {
    if (this.over.aborted) return;
    let taken: Promise<void> | void;
    try {
      taken = this.#listener(frame);
    } catch (error) {
      this.#refuse(error);
      return;
    }
    if (!taken) return;
    const cost = frame.bytes.length + FRAME_COST;
    this.#taking += cost;
    this.#holdInput();
    void taken
      .catch((error: unknown) => this.#refuse(error))
      .finally(() => {
        this.#taking -= cost;
        this.#holdInput();
      });
  }

  #refuse(error: unknown): void {
    if (error instanceof FrameRefusal) {
      this.close(error.code, error.message);
      return;
    }
    this.#parts.logger.error({ err: error }, 'a frame of a WebSocket failed unexpectedly');
    this.close(CLOSE.failed, `Taking the frame failed: ${errorMessage(error)}`);
  }

  #holdInput(): void {
    if (this.over.aborted) return;
    if (!this.#isHeld && this.#taking > LIMITS.socketHighBytes) {
      this.#isHeld = true;
      this.#ws.pause();
    } else if (this.#isHeld && this.#taking <= LIMITS.socketLowBytes) {
      this.#isHeld = false;
      this.#ws.resume();
    }
    this.#lookClosely();
  }

  /**
   * While nothing is read, or nothing can be sent, the end of the client would be noticed late: writing to a connection that
   * has lost its other end breaks it.
   */
  #lookClosely(): void {
    const isNeeded = !this.over.aborted && (this.#isHeld || this.#waiting.size > 0);
    if (!isNeeded) {
      this.#closeLook?.stop();
      this.#closeLook = undefined;
      return;
    }
    const look = (): void => {
      if (!this.#isGoing() && this.#isHeld) this.#ws.ping();
    };
    this.#closeLook ??= this.#parts.clock.tickerFunc(LIMITS.closeLookMs, look, 'http: look at a held up WebSocket');
  }
}
