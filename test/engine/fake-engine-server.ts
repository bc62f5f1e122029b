import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';

/** What one request to the fake engine looked like. */
export interface SeenRequest {
  readonly method: string;
  /** Without the version prefix and the query. */
  readonly path: string;
  /** `v1.41`, or empty. */
  readonly version: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
}

const UPGRADED = 'HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n';
const WITHOUT_UPGRADE = 'Connection: close\r\n\r\n';

type Answer = (response: ServerResponse, request: SeenRequest) => void;
type Upgrade = (connection: Duplex, request: SeenRequest) => void;

export interface FakeEngineServer {
  readonly socketPath: string;
  readonly host: string;
  readonly requests: readonly SeenRequest[];
  /** Answers `METHOD /path` from now on; a request without an answer gets 501 and its own name. */
  on(route: string, answer: Answer): void;
  /** Answers `POST /path` with the connection itself. */
  onUpgrade(path: string, upgrade: Upgrade): void;
  /** As an engine that ignores the wish for an upgrade: 200, or another status, and what `upgrade` writes is the body. */
  onIgnoredUpgrade(path: string, upgrade: Upgrade, status?: number): void;
  /** Stops listening and breaks all connections; the socket file goes too. */
  stop(): Promise<void>;
  /** Listens again at the same place. */
  start(): Promise<void>;
  /** How many connections are open now. */
  connections(): number;
  [Symbol.asyncDispose](): Promise<void>;
}

export function json(body: unknown, status = 200): Answer {
  return (response) =>
    void response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body));
}

/** An engine's HTTP server, on a unix socket in a directory of its own, that says exactly what a test tells it to. */
export async function startFakeEngineServer(apiVersion = '1.41'): Promise<FakeEngineServer> {
  const directory = await mkdtemp(join(tmpdir(), 'fake-engine-'));
  const socketPath = join(directory, 'engine.sock');
  const answers = new Map<string, Answer>();
  const upgrades = new Map<string, Upgrade>();
  const plain = new Map<string, number>();
  const requests: SeenRequest[] = [];
  const sockets = new Set<Socket>();

  const see = (request: IncomingMessage, body: Buffer): SeenRequest => {
    const url = new URL(request.url ?? '/', 'http://engine');
    const [, version = '', path = ''] = /^(?:\/(v\d+\.\d+))?(\/.*)$/.exec(url.pathname) ?? [];
    const seen = {
      method: request.method ?? '',
      path,
      version,
      query: url.searchParams,
      headers: request.headers,
      body,
    };
    requests.push(seen);
    return seen;
  };

  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('error', () => {}).on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const seen = see(request, Buffer.concat(chunks));
      const route = `${seen.method} ${seen.path}`;
      (answers.get(route) ?? json({ message: `unscripted: ${route}` }, 501))(response, seen);
    });
  });
  server.on('upgrade', (request, connection, head) => {
    connection.on('error', () => {});
    let received = head;
    const length = Number(request.headers['content-length'] ?? 0);
    const onData = (chunk: Buffer): void => {
      received = Buffer.concat([received, chunk]);
      if (received.length < length) return;
      connection.removeListener('data', onData).pause();
      const seen = see(request, received.subarray(0, length));
      const upgrade = upgrades.get(seen.path);
      if (!upgrade) return void connection.end('HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n{}');
      if (received.length > length) connection.unshift(received.subarray(length));
      const status = plain.get(seen.path);
      connection.write(status === undefined ? UPGRADED : `HTTP/1.1 ${status} Answer\r\n${WITHOUT_UPGRADE}`);
      upgrade(connection, seen);
      connection.resume();
    };
    connection.on('data', onData);
    onData(Buffer.alloc(0));
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });

  const start = (): Promise<void> => new Promise((resolve) => server.listen(socketPath, resolve));
  const stop = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve());
      for (const socket of sockets) socket.destroy();
    });
  await start();
  answers.set('GET /_ping', (response) => void response.writeHead(200, { 'Api-Version': apiVersion }).end('OK'));

  return {
    socketPath,
    host: `unix://${socketPath}`,
    requests,
    on: (route, answer) => void answers.set(route, answer),
    onUpgrade: (path, upgrade) => void upgrades.set(path, upgrade),
    onIgnoredUpgrade(path, upgrade, status = 200) {
      plain.set(path, status);
      upgrades.set(path, upgrade);
    },
    start,
    stop,
    connections: () => sockets.size,
    async [Symbol.asyncDispose]() {
      await stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
