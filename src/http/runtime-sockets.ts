// INVARIANTS
// - At most so many WebSockets at a time; a place is taken before the first await of an upgrade.
// - After `close` has resolved none is left, and what ran behind them was let go of, not ended.
import type { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { WebSocket, WebSocketServer } from 'ws';
import { linkedScope } from '../async/abort.ts';
import type { Timer } from '../clock/clock.ts';
import { AgentContainersError, cancelled } from '../errors.ts';
import { openAttachSocket } from './attach-socket.ts';
import { HttpRefusal } from './error-status.ts';
import { openExecSocket } from './exec-socket.ts';
import { LIMITS } from './limits.ts';
import { LiveSocket } from './live-socket.ts';
import { openPtySocket } from './pty-socket.ts';
import { readQuery, urlOf } from './request-input.ts';
import { emptyQuery } from './request-schemas.ts';
import { refuseUpgrade } from './responses.ts';
import { CLOSE } from './socket-frames.ts';
import { attachQuery, ptyQuery } from './socket-schemas.ts';
import { assertHandshake, createSocketServer } from './socket-server.ts';
import type { SocketPorts, SocketSession } from './socket-session.ts';
import type { RuntimeAddress } from './upgrade-routes.ts';

export interface RuntimeSocketOptions {
  /** WebSockets of commands, processes and terminals, together. Default 256. */
  readonly maxSockets?: number | undefined;
  /** Default 15,000. */
  readonly pingIntervalMs?: number | undefined;
}

interface Place {
  /** Ends what is under way before the connection stands. */
  readonly abort: (reason: unknown) => void;
  socket?: LiveSocket;
  session?: SocketSession;
}

/** The WebSockets of what runs in containers. */
export class RuntimeSockets {
  readonly #ports: SocketPorts;
  readonly #max: number;
  readonly #pingIntervalMs: number;
  readonly #places = new Set<Place>();
  readonly #headers = new WeakMap<IncomingMessage, SocketSession['headers']>();
  readonly #server: WebSocketServer;
  #ticker: Timer | undefined;
  #isClosed = false;

  constructor(ports: SocketPorts, options: RuntimeSocketOptions) {
    this.#ports = ports;
    this.#max = options.maxSockets ?? LIMITS.sockets;
    this.#pingIntervalMs = options.pingIntervalMs ?? LIMITS.pingIntervalMs;
    this.#server = createSocketServer(LIMITS.socketFrameBytes, ports.logger);
    this.#server.on('headers', (lines, req) => {
      for (const [name, value] of Object.entries(this.#headers.get(req) ?? {})) lines.push(`${name}: ${value}`);
    });
  }

  /** `authorize` throws what is to be answered. It runs before anything else. */
  async accept(req: IncomingMessage, socket: Duplex, head: Buffer, authorize: () => RuntimeAddress): Promise<void> {
    // Between the upgrade event and the handshake nobody else listens; a reset must not end the process.
    socket.on('error', () => {});
    const scope = linkedScope();
    const leave = (): void => scope.abort(cancelled('caller-left'));
    socket.once('close', leave);
    let place: Place | undefined;
    try {
      const address = authorize();
      assertHandshake(req);
      place = this.#take(scope.abort);
      place.session = await open(this.#ports, req, address, scope.signal);
      this.#upgrade(req, socket, head, place);
    } catch (error) {
      if (place) this.#leave(place);
      // What was under way ends with the server as with its client; only the one still listens.
      refuseUpgrade(req, socket, this.#isClosed ? closed() : error, this.#ports.logger);
    } finally {
      socket.removeListener('close', leave);
    }
  }

  /** Ends all; resolves when they are gone. What runs behind them runs on. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all(
      [...this.#places].map(async ({ abort, socket, session }) => {
        if (!socket) return abort(cancelled('closing'));
        // What is let go of is not ended by the end of its connection.
        const released = session?.release();
        await socket.closeWithin(CLOSE.goingAway, 'The server is closing.', LIMITS.closeGraceMs);
        await released;
      }),
    );
  }

  #upgrade(req: IncomingMessage, socket: Duplex, head: Buffer, place: Place): void {
    const { session } = place;
    if (!session) return;
    try {
      if (this.#isClosed) throw closed();
      this.#headers.set(req, session.headers);
      // Calls back at once or, when the client has left, not at all.
      this.#server.handleUpgrade(req, socket, head, (ws) => {
        place.socket = this.#join(ws, socket, session);
        void place.socket.gone.then(() => this.#leave(place));
      });
    } finally {
      if (!place.socket) {
        void session.release();
        this.#leave(place);
      }
    }
  }

  #join(ws: WebSocket, socket: Duplex, session: SocketSession): LiveSocket {
    const { clock, logger } = this.#ports;
    // A host that is no longer there is noticed also while nothing may be concluded from a missing answer.
    if (socket instanceof Socket) socket.setKeepAlive(true, this.#pingIntervalMs);
    const live = new LiveSocket(ws, { clock, logger, mayStopReading: session.mayStopReading });
    this.#ticker ??= clock.tickerFunc(this.#pingIntervalMs, () => this.#beat(), 'http: ping WebSockets');
    session.serve(live).catch((error: unknown) => {
      logger.error({ err: error }, 'a WebSocket failed unexpectedly');
      live.close(CLOSE.failed, 'Internal error.');
    });
    return live;
  }

  #take(abort: Place['abort']): Place {
    if (this.#isClosed) throw closed();
    if (this.#places.size >= this.#max) {
      throw new HttpRefusal('too-many-streams', `At most ${this.#max} at a time.`, { 'retry-after': '5' });
    }
    const place = { abort };
    this.#places.add(place);
    return place;
  }

  #leave(place: Place): void {
    this.#places.delete(place);
    if ([...this.#places].some(({ socket }) => socket)) return;
    this.#ticker?.stop();
    this.#ticker = undefined;
  }

  #beat(): void {
    for (const { socket } of this.#places) socket?.beat();
  }
}

function open(
  ports: SocketPorts,
  req: IncomingMessage,
  address: RuntimeAddress,
  signal: AbortSignal,
): Promise<SocketSession> {
  const query = <Schema extends Parameters<typeof readQuery>[0]>(schema: Schema) => readQuery(schema, urlOf(req));
  switch (address.kind) {
    case 'exec':
      query(emptyQuery);
      return openExecSocket(ports, address.id, signal);
    case 'attach':
      return openAttachSocket(ports, address, query(attachQuery), signal);
    case 'pty':
      return openPtySocket(ports, address.id, query(ptyQuery), signal);
  }
}

function closed(): AgentContainersError {
  return new AgentContainersError('api-closed', 'Opening a WebSocket failed: the server is closing.');
}
