import { EventEmitter } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Writable } from 'node:stream';
import pc from 'picocolors';
import { type WebSocket, WebSocketServer } from 'ws';
import type { WireExit, WireProcess } from '../../http/runtime-wire-schemas.ts';
import { MOUNT_PATH } from '../../http/mount-path.ts';
import { createDaemonClient } from '../client/client.ts';
import { createOutput } from '../output/output.ts';
import type { SessionWorld } from '../session/run-session.ts';
import type { Stdio } from '../terminal/local-terminal.ts';
import type { CommandContext } from './context.ts';
import { Refusal, wireEntry } from './test-context.ts';

// Support of the tests in this folder; not published.

export interface SeenRequest {
  readonly method: string;
  /** Below the mount point. */
  readonly path: string;
  readonly body: Buffer;
}

export interface TestDaemon {
  readonly socket: string;
  readonly requests: readonly SeenRequest[];
  /** Requests as `METHOD /path`. */
  calls(): string[];
  json(call: string): unknown;
  /** Closes every connection and the socket, as a crash would; `start` brings it back. */
  crash(): Promise<void>;
  start(): Promise<void>;
  stop(): Promise<void>;
}

export interface TestDaemonScript {
  /** By `METHOD /path` without a query: what is answered; bytes as they are, a refusal with its status. */
  readonly routes?: Readonly<Record<string, unknown>>;
  /** A WebSocket at a path, with its query. */
  readonly onSocket?: (ws: WebSocket, path: string) => void;
}

/** A daemon on a Unix socket of its own that knows one devcontainer, `app`. */
export async function startTestDaemon(script: TestDaemonScript): Promise<TestDaemon> {
  const directory = await mkdtemp(join(tmpdir(), 'ac-daemon-'));
  const socket = join(directory, 's');
  const requests: SeenRequest[] = [];
  const routes: Readonly<Record<string, unknown>> = {
    'GET /devcontainers': { devcontainers: [wireEntry()] },
    ...script.routes,
  };
  const sockets = new WebSocketServer({ noServer: true });
  let server = createServer();

  async function answer(request: IncomingMessage): Promise<{ status: number; body: unknown }> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const seen = { method: request.method ?? '', path: pathOf(request), body: Buffer.concat(chunks) };
    requests.push(seen);
    const key = `${seen.method} ${seen.path.replace(/\?.*/, '')}`;
    if (!(key in routes)) return { status: 500, body: { message: `unscripted request: ${key}` } };
    const scripted = routes[key];
    const value: unknown =
      typeof scripted === 'function' ? await (scripted as (r: SeenRequest) => unknown)(seen) : scripted;
    return value instanceof Refusal ? value : { status: value === undefined ? 204 : 200, body: value };
  }
  async function start(): Promise<void> {
    server = createServer((request, response) => {
      void answer(request).then(
        ({ status, body }) => {
          response.writeHead(status);
          response.end(body === undefined ? undefined : Buffer.isBuffer(body) ? body : JSON.stringify(body));
        },
        // The client has gone in the middle.
        () => response.destroy(),
      );
    });
    server.on('upgrade', (request, connection, head) => {
      sockets.handleUpgrade(request, connection, head, (ws) => {
        ws.on('error', () => {});
        script.onSocket?.(ws, pathOf(request));
      });
    });
    await new Promise<void>((resolve) => server.listen(socket, resolve));
  }
  async function crash(): Promise<void> {
    for (const ws of sockets.clients) ws.terminate();
    server.closeAllConnections();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  }
  await start();
  return {
    socket,
    requests,
    calls: () => requests.map(({ method, path }) => `${method} ${path}`),
    json(call) {
      const seen = requests.find(({ method, path }) => `${method} ${path}` === call);
      return seen === undefined ? undefined : (JSON.parse(seen.body.toString()) as unknown);
    },
    crash,
    start,
    async stop() {
      await crash();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

function pathOf({ url = '' }: IncomingMessage): string {
  return url.startsWith(MOUNT_PATH) ? url.slice(MOUNT_PATH.length) : url;
}

export interface TestWorld extends SessionWorld {
  readonly stdin: PassThrough;
  readonly raw: readonly boolean[];
  /** Bytes as a person or a program reads them. */
  out(): Buffer;
  err(): string;
  /** From now on standard output takes nothing, or everything again. */
  block(isBlocked: boolean): void;
  /** Standard output has no reader any more. */
  breakOutput(): void;
  signal(name: 'SIGINT' | 'SIGTERM' | 'SIGHUP'): void;
  resize(columns: number, rows: number): void;
}

/** Standard streams, signals and time of a session. Waiting takes no time. */
export function testWorld({ tty = false }: { readonly tty?: boolean } = {}): TestWorld {
  const stdin = new PassThrough();
  const raw: boolean[] = [];
  const signals = new EventEmitter();
  let release: (() => void) | undefined;
  let isBlocked = false;
  const sink = (kept: Buffer[], isOut: boolean) =>
    new Writable({
      highWaterMark: 1_024,
      write(chunk: Buffer, _encoding, done) {
        kept.push(Buffer.from(chunk));
        if (isOut && isBlocked) release = done;
        else done();
      },
    });
  const [out, err]: Buffer[][] = [[], []];
  const stdout = Object.assign(sink(out ?? [], true), { isTTY: tty, columns: 100, rows: 30 });
  const stderr = Object.assign(sink(err ?? [], false), { isTTY: tty, columns: 100, rows: 30 });
  const input = Object.assign(stdin, {
    isTTY: tty,
    isRaw: false,
    setRawMode(isRaw: boolean) {
      // A real one does nothing either then.
      if (stdin.destroyed) return;
      raw.push(isRaw);
      this.isRaw = isRaw;
    },
  });
  return {
    stdio: { stdin: input, stdout, stderr } as unknown as Stdio,
    onSignals(listener) {
      signals.on('signal', listener);
      return () => signals.removeListener('signal', listener);
    },
    now: () => performance.now(),
    delay: (ms) => new Promise((resolve) => setTimeout(resolve, Math.min(ms, 10))),
    after(_ms, callback) {
      const timer = setTimeout(callback, 10);
      return () => clearTimeout(timer);
    },
    stdin,
    raw,
    out: () => Buffer.concat(out ?? []),
    err: () => Buffer.concat(err ?? []).toString(),
    block(blocked) {
      isBlocked = blocked;
      if (!blocked) release?.();
    },
    breakOutput: () => void stdout.destroy(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' })),
    signal: (name) => void signals.emit('signal', name),
    resize(columns, rows) {
      Object.assign(stdout, { columns, rows });
      stdout.emit('resize');
    },
  };
}

/** A context that talks to the daemon and writes into the world. */
export function worldContext(
  daemon: { readonly socket: string },
  world: TestWorld,
  { json = false } = {},
): CommandContext {
  const output = createOutput({ json }, world.stdio.stdout, world.stdio.stderr);
  return {
    output: { ...output, interactive: false, colors: pc.createColors(false), errorColors: pc.createColors(false) },
    client: createDaemonClient(daemon.socket),
    directory: {} as CommandContext['directory'],
    confirm: undefined,
  };
}

export const EXITED: WireExit = {
  code: 0,
  signal: null,
  reason: 'exit',
  survivors: [],
  background_held: false,
  via: 'resident',
};

export function wireProcess(part: Partial<WireProcess> = {}): WireProcess {
  return {
    id: 'ab12-1',
    pid: 42,
    argv: ['sleep', '1'],
    cwd: '/w',
    user: 'dev',
    tty: null,
    merged: false,
    kind: 'exec',
    started_at: '2025-01-31T12:00:00.000Z',
    running: true,
    output: { start: 0, end: 0 },
    via: 'resident',
    ...part,
  };
}

/** One end of the frames, as the daemon has it. */
export const frames = {
  started: (ws: WebSocket, process: WireProcess = wireProcess(), offset?: number): void =>
    ws.send(JSON.stringify({ type: 'started', process, ...(offset === undefined ? {} : { offset }) })),
  output: (ws: WebSocket, stream: 1 | 2, bytes: Uint8Array | string): void =>
    ws.send(Buffer.concat([Buffer.of(stream), Buffer.from(bytes as string)])),
  exit(ws: WebSocket, exit: Partial<WireExit> = {}): void {
    ws.send(JSON.stringify({ type: 'exit', ...EXITED, ...exit }));
    ws.close(1_000);
  },
  refuse(ws: WebSocket, body: object, code = 1_008): void {
    ws.send(JSON.stringify({ type: 'error', ...body }));
    ws.close(code);
  },
};
