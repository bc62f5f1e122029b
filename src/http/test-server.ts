import type { IncomingHttpHeaders, RequestListener, Server } from 'node:http';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import express from 'express';
import { onTestFinished } from 'vitest';
import type { ClientOptions } from 'ws';
import { WebSocket } from 'ws';
import type { FakeClock } from '../testing/fake-clock.ts';
import type { ContainersRouter } from './router.ts';

// Support of the tests in this folder; not published.

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  readonly json: unknown;
}

export interface Ask {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string | Buffer;
}

/** A client that sends exactly these headers, unlike `fetch`, which has its own mind about some. */
export function ask(
  to: number | string,
  { method = 'GET', path = '/', headers = {}, body }: Ask = {},
): Promise<Answer> {
  const address = typeof to === 'number' ? { host: '127.0.0.1', port: to } : { socketPath: to };
  return new Promise((resolve, reject) => {
    // Node frames the body of a DELETE only when told to.
    const length =
      body === undefined || 'transfer-encoding' in headers ? {} : { 'content-length': Buffer.byteLength(body) };
    const req = request({ ...address, method, path, headers: { ...headers, ...length }, agent: false }, (res) => {
      const chunks: Buffer[] = [];
      res.on('data', (chunk: Buffer) => chunks.push(chunk));
      res.on('error', reject);
      res.on('end', () => {
        const text = Buffer.concat(chunks).toString();
        const isJson = res.headers['content-type']?.startsWith('application/json') === true && text !== '';
        resolve({
          status: res.statusCode ?? 0,
          headers: res.headers,
          text,
          json: isJson ? (JSON.parse(text) as unknown) : undefined,
        });
      });
    });
    req.on('error', reject);
    req.end(body);
  });
}

/** Listens on a free port, or on a Unix socket, until the test has ended. */
export async function listen(server: Server, socketPath?: string): Promise<number> {
  await new Promise<void>((resolve) => {
    if (socketPath === undefined) server.listen(0, '127.0.0.1', resolve);
    else server.listen(socketPath, resolve);
  });
  onTestFinished(
    () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  );
  return socketPath === undefined ? (server.address() as AddressInfo).port : 0;
}

/** Mounts a router in an application of an embedder, at `/mnt`. */
export async function mount(router: ContainersRouter): Promise<number> {
  const app = express();
  app.use('/mnt', router);
  const server = createServer(app as RequestListener);
  server.on('upgrade', (req, socket, head) => router.handleUpgrade(req, socket, head));
  const port = await listen(server);
  // Runs before the server is closed: hooks of a test run last in, first out.
  onTestFinished(() => router.close());
  return port;
}

export interface Socket {
  readonly ws: WebSocket;
  readonly frames: string[];
  /** Resolves with the frame of this number, counted from 0. */
  frame(index: number): Promise<unknown>;
  readonly closed: Promise<{ code: number; reason: string }>;
}

/** A WebSocket client whose frames are kept. Rejects with the refusal. */
export function connect(
  url: string,
  headers: Record<string, string> = {},
  options: ClientOptions = {},
): Promise<Socket> {
  const ws = new WebSocket(url, { headers, ...options });
  const frames: string[] = [];
  const waiting = new Set<() => void>();
  ws.on('message', (data: Buffer, isBinary) => {
    frames.push(isBinary ? 'binary' : data.toString());
    for (const wake of waiting) wake();
  });
  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    ws.on('close', (code, reason) => resolve({ code, reason: reason.toString() }));
  });
  onTestFinished(() => ws.terminate());
  return new Promise((resolve, reject) => {
    ws.on('error', reject);
    ws.on('unexpected-response', (_req, res) => {
      let text = '';
      res.on('data', (chunk: Buffer) => (text += chunk.toString()));
      res.on('end', () => reject(new UpgradeRefused(res.statusCode ?? 0, JSON.parse(text) as object)));
    });
    ws.on('open', () =>
      resolve({
        ws,
        frames,
        closed,
        async frame(index) {
          while (frames.length <= index) await new Promise<void>((wake) => waiting.add(wake));
          return JSON.parse(frames[index] ?? '') as unknown;
        },
      }),
    );
  });
}

/** Until the server has looked who answered its ping. */
export async function untilNextPing(clock: FakeClock, answers: WebSocket, other: WebSocket): Promise<void> {
  const pinged = Promise.all([answers, other].map((ws) => new Promise((resolve) => ws.once('ping', resolve))));
  await clock.run(15_000);
  await pinged;
  // The pong has to arrive before the next ping is due: a frame behind it tells.
  await new Promise<void>((resolve) => {
    answers.ping('', undefined, () => {});
    answers.once('pong', () => resolve());
  });
  await clock.run(15_000);
}

export class UpgradeRefused extends Error {
  readonly status: number;
  readonly body: object;

  constructor(status: number, body: object) {
    super(`refused with ${status}`);
    this.status = status;
    this.body = body;
  }
}

export interface EventReader {
  /** The next event: `id`, `event`, `data` parsed. Comments are skipped. */
  next(): Promise<ServerEvent>;
  readonly comments: string[];
  cancel(): void;
}

export interface ServerEvent {
  readonly id?: string;
  readonly event?: string;
  readonly data: unknown;
}

/** Reads server-sent events with a response of `fetch`. */
export function readEvents(response: Response): EventReader {
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  const decoder = new TextDecoder();
  const comments: string[] = [];
  let text = '';
  onTestFinished(() => reader.cancel().catch(() => {}));
  return {
    comments,
    async next() {
      for (;;) {
        const end = text.indexOf('\n\n');
        if (end < 0) {
          const { done, value } = await reader.read();
          if (done) throw new Error('the stream has ended');
          text += decoder.decode(value, { stream: true });
          continue;
        }
        const block = text.slice(0, end);
        text = text.slice(end + 2);
        if (block.startsWith(':')) {
          comments.push(block);
          continue;
        }
        const fields = Object.fromEntries(block.split('\n').map((line) => line.split(/: (.*)/s, 2)));
        return { ...fields, data: JSON.parse(fields['data'] as string) as unknown } as ServerEvent;
      }
    },
    cancel: () => void reader.cancel().catch(() => {}),
  };
}
