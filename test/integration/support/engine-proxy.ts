/**
 * A proxy between the library and a real engine, over which the answers and events of the engine are lost, late,
 * doubled, cut off, or never come. It understands HTTP with streams in both directions and connections that are
 * upgraded, as those of execs.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, request as httpRequest } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { createEventLines } from './event-lines.ts';
import type { EventLines } from './event-lines.ts';
import { drawFault, seededRandom } from './proxy-faults.ts';
import { forwardUpgrade, limited, sendBody } from './proxy-streams.ts';
import type { EventFaults, Fault, FaultRule, RandomFaults } from './proxy-faults.ts';

/** As many of the latest exchanges are remembered. */
const REMEMBERED = 1_000;

export interface Exchange {
  readonly method: string;
  /** Without API version and query. */
  readonly path: string;
  readonly fault: Fault | undefined;
}

export interface EngineProxy extends AsyncDisposable {
  /** `unix://…`, to be used in place of the engine's. */
  readonly dockerHost: string;
  /** The latest, oldest first. */
  readonly exchanges: readonly Exchange[];
  /** Connections to the proxy that are open now. */
  readonly connections: number;
  /** Event streams that are open now. */
  readonly eventStreams: number;
  /** Exchanges that are frozen now. */
  readonly frozen: number;
  /** Events that were not handed on. */
  readonly lostEvents: number;
  /** Spoils what matches from now on; of several rules the one given first counts. Returns the call that ends it. */
  spoil(rule: FaultRule): () => void;
  /** From now on spoils at random, the same way for the same seed and order of requests. */
  randomly(seed: number, chances: RandomFaults): void;
  /** Spoils events from now on, also of streams that are open. */
  spoilEvents(faults: EventFaults): void;
  /** Event streams stay open and fall silent, until `thawEvents` hands on what was held. */
  freezeEvents(): void;
  thawEvents(): void;
  /** Breaks the event streams that are open. */
  cutEvents(): void;
  /** Everything goes well from now on. What is frozen stays so. */
  calm(): void;
  /** Frozen exchanges go on. */
  release(): void;
  /** Breaks every connection, and stops listening. Idempotent. */
  close(): Promise<void>;
}

export async function startEngineProxy(dockerHost: string): Promise<EngineProxy> {
  const enginePath = dockerHost.replace(/^unix:\/\//, '');
  const folder = await mkdtemp(join(tmpdir(), 'ac-proxy-'));
  const socketPath = join(folder, 'engine.sock');
  const exchanges: Exchange[] = [];
  const rules: { readonly rule: FaultRule; left: number }[] = [];
  const sockets = new Set<Socket>();
  const upstreams = new Set<Socket>();
  const streams = new Map<EventLines, Duplex>();
  const frozen = new Set<() => void>();
  const waits = new Set<NodeJS.Timeout>();
  let random: () => number = Math.random;
  let chances: RandomFaults | undefined;
  let eventFaults: EventFaults = {};
  let areEventsHeld = false;
  let lostEvents = 0;
  let closed: Promise<void> | undefined;

  function chooseFault(method: string, path: string): Fault | undefined {
    const index = rules.findIndex(
      ({ rule }) => (rule.method ?? method) === method && (rule.path === undefined || rule.path.test(path)),
    );
    const found = rules[index];
    if (!found) return chances && drawFault(chances, random);
    if (--found.left <= 0) rules.splice(index, 1);
    return found.rule.fault;
  }

  function note(request: IncomingMessage): Exchange {
    const method = request.method ?? '';
    const path = (request.url ?? '').replace(/\?.*$/, '').replace(/^\/v\d+\.\d+(?=\/)/, '');
    const exchange = { method, path, fault: chooseFault(method, path) };
    exchanges.push(exchange);
    if (exchanges.length > REMEMBERED) exchanges.shift();
    return exchange;
  }

  /** Goes on when a fault of this moment allows it; never when the connection has to break, or does. */
  function pass(fault: Fault | undefined, when: 'before' | 'after', connection: Duplex, goOn: () => void): void {
    const next = (): void => {
      if (!connection.destroyed) goOn();
    };
    if (!fault || !('when' in fault) || fault.when !== when) return next();
    switch (fault.kind) {
      case 'drop':
        connection.destroy();
        return;
      case 'freeze':
        frozen.add(next);
        connection.once('close', () => frozen.delete(next));
        return;
      case 'delay': {
        const wait = setTimeout(() => {
          waits.delete(wait);
          next();
        }, fault.ms);
        waits.add(wait);
        return;
      }
    }
  }

  function forward(request: IncomingMessage, response: ServerResponse, { path, fault }: Exchange): void {
    const { socket } = request;
    const upstream = httpRequest({
      socketPath: enginePath,
      agent: false,
      method: request.method,
      path: request.url,
      headers: request.headers,
    });
    upstream.on('socket', (engine: Socket) => keep(upstreams, engine));
    response.on('close', () => upstream.destroy());
    upstream.on('error', () => socket.destroy());
    upstream.on('response', (answer) => {
      answer.on('error', () => socket.destroy());
      pass(fault, 'after', socket, () => {
        const headers = { ...answer.headers };
        const cut = fault?.kind === 'truncate' ? fault : undefined;
        if (cut) delete headers['content-length'];
        response.writeHead(answer.statusCode ?? 502, headers);
        response.flushHeaders();
        const body = path === '/events' ? answer.pipe(followEvents(socket)) : answer;
        // An engine that breaks off must not look like one that has ended.
        answer.on('aborted', () => socket.destroy());
        if (!cut) return void body.pipe(response);
        const onCut = (): void => void (cut.cleanly ? response.end() : socket.destroy());
        body.pipe(limited(cut.bytes, onCut)).pipe(response);
      });
    });
    sendBody(request, upstream);
  }

  function followEvents(connection: Duplex): Duplex {
    const faults = (): EventFaults => ({ ...chances, ...eventFaults });
    const lines = createEventLines(
      faults,
      () => areEventsHeld,
      random,
      () => lostEvents++,
    );
    streams.set(lines, connection);
    connection.once('close', () => {
      streams.delete(lines);
      lines.stream.destroy();
    });
    return lines.stream;
  }

  const server = createServer((request, response) => {
    const exchange = note(request);
    const { fault } = exchange;
    request.on('error', () => {});
    response.on('error', () => {});
    if (fault?.kind === 'answer') {
      request.resume();
      const body = JSON.stringify({ message: fault.message ?? 'spoiled' });
      response.writeHead(fault.status, { 'Content-Type': 'application/json' }).end(body);
      return;
    }
    pass(fault, 'before', request.socket, () => forward(request, response, exchange));
  });
  server.on('upgrade', (request, client, head) => {
    const { fault } = note(request);
    client.on('error', () => {});
    if (fault?.kind === 'answer') {
      client.end(`HTTP/1.1 ${fault.status} Spoiled\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}`);
      return;
    }
    pass(fault, 'before', client, () => {
      const engine = forwardUpgrade(enginePath, request, client, head, {
        bytes: fault?.kind === 'truncate' ? fault.bytes : Number.POSITIVE_INFINITY,
        onAnswer: (goOn) => pass(fault, 'after', client, goOn),
      });
      keep(upstreams, engine);
    });
  });
  server.on('connection', (socket) => keep(sockets, socket));
  // What is frozen may stay so.
  server.requestTimeout = 0;
  server.headersTimeout = 0;
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(socketPath, resolve));

  async function stop(): Promise<void> {
    for (const wait of waits) clearTimeout(wait);
    frozen.clear();
    const ended = new Promise<void>((resolve) => server.close(() => resolve()));
    for (const socket of [...sockets, ...upstreams]) socket.destroy();
    await ended;
    await rm(folder, { recursive: true, force: true });
  }
  const close = (): Promise<void> => (closed ??= stop());
  const thawEvents = (): void => {
    areEventsHeld = false;
    for (const lines of streams.keys()) lines.release();
  };

  return {
    dockerHost: `unix://${socketPath}`,
    exchanges,
    get connections() {
      return sockets.size;
    },
    get eventStreams() {
      return streams.size;
    },
    get frozen() {
      return frozen.size;
    },
    get lostEvents() {
      return lostEvents;
    },
    spoil(rule) {
      const added = { rule, left: rule.times ?? Number.POSITIVE_INFINITY };
      rules.push(added);
      return () => void (rules.includes(added) && rules.splice(rules.indexOf(added), 1));
    },
    randomly(seed, wanted) {
      random = seededRandom(seed);
      chances = wanted;
    },
    spoilEvents: (faults) => void (eventFaults = faults),
    freezeEvents: () => void (areEventsHeld = true),
    thawEvents,
    cutEvents() {
      for (const connection of streams.values()) connection.destroy();
    },
    calm() {
      rules.length = 0;
      chances = undefined;
      eventFaults = {};
      thawEvents();
    },
    release() {
      for (const goOn of [...frozen]) goOn();
      frozen.clear();
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

function keep(open: Set<Socket>, socket: Socket): void {
  open.add(socket);
  socket.on('error', () => {});
  socket.once('close', () => open.delete(socket));
}
