import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { WebSocket, WebSocketServer } from 'ws';
import type { Clock } from '../clock/clock.ts';
import { createDeferred } from '../async/deferred.ts';
import { errorMessage, isAgentContainersError } from '../errors.ts';
import type { Logger } from '../logger.ts';
import { HttpRefusal } from './error-status.ts';
import { LIMITS } from './limits.ts';
import { PacedSender } from './paced-sender.ts';
import { refuseUpgrade } from './responses.ts';
import { CLOSE } from './socket-frames.ts';
import { assertHandshake, createSocketServer } from './socket-server.ts';
import type { WatchClient, WatchClients, WatchPlace } from './watch-clients.ts';

/** `/watch`: one list response per text frame. */
export class WatchSockets {
  readonly #watchers: WatchClients;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #server: WebSocketServer;

  constructor(watchers: WatchClients, clock: Clock, logger: Logger) {
    this.#watchers = watchers;
    this.#clock = clock;
    this.#logger = logger;
    this.#server = createSocketServer(LIMITS.incomingFrameBytes, logger);
  }

  /** `authorize` throws what is to be answered. It runs before anything else. */
  async accept(req: IncomingMessage, socket: Duplex, head: Buffer, authorize: () => void): Promise<void> {
    // Between the upgrade event and the handshake nobody else listens; a reset must not end the process.
    const ignore = (): void => {};
    socket.on('error', ignore);
    let place: WatchPlace | undefined;
    try {
      authorize();
      assertHandshake(req);
      place = this.#watchers.take();
      const { leave } = place;
      socket.once('close', leave);
      await this.#firstFrame();
      const taken = place;
      // Calls back at once or, when the handshake is refused, not at all.
      this.#server.handleUpgrade(req, socket, head, (ws) => this.#join(ws, taken));
    } catch (error) {
      place?.leave();
      refuseUpgrade(req, socket, error, this.#logger);
    }
  }

  async #firstFrame(): Promise<void> {
    try {
      await this.#watchers.feed.open();
    } catch (error) {
      if (isAgentContainersError(error, 'api-closed')) throw error;
      throw new HttpRefusal('upgrade-failed', errorMessage(error));
    }
  }

  #join(ws: WebSocket, place: WatchPlace): void {
    const gone = createDeferred<void>();
    const sender = new PacedSender(
      {
        send: (bytes, done) => ws.send(bytes, { binary: false }, () => done()),
        backlog: () => ws.bufferedAmount,
        drop: () => {
          this.#logger.info({ bufferedBytes: ws.bufferedAmount }, 'dropped a watcher that does not keep up');
          ws.terminate();
        },
      },
      this.#watchers.maxBufferedBytes,
    );
    let answered = true;
    const client: WatchClient = {
      offer: (frame) => {
        if (ws.readyState === ws.OPEN) sender.offer(frame.json);
      },
      beat: () => {
        if (!answered) return ws.terminate();
        answered = false;
        if (ws.readyState === ws.OPEN) ws.ping();
      },
      end: async () => {
        ws.close(CLOSE.goingAway, 'The server is closing.');
        const timer = this.#clock.afterFunc(LIMITS.closeGraceMs, () => ws.terminate(), 'http: close a watcher');
        await gone.promise;
        timer.stop();
      },
    };
    ws.on('pong', () => {
      answered = true;
    });
    // A broken frame or a reset; `close` follows.
    ws.on('error', (error) => this.#logger.debug({ reason: error.message }, 'a watcher broke off'));
    ws.on('close', () => {
      place.leave();
      gone.resolve();
    });
    place.join(client);
    const latest = this.#watchers.feed.latest;
    if (latest) client.offer(latest);
  }
}
