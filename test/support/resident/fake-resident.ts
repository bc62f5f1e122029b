/** A resident in memory that speaks the protocol of docs/design/resident.md, for tests of its client. */
import { createServer } from 'node:http2';
import type { Http2Server, ServerHttp2Stream } from 'node:http2';
import type { Duplex } from 'node:stream';
import { createFrameParser, encodeFrame, encodeJsonFrame } from '../../../src/subagent/resident/frames.ts';
import type { FrameKind } from '../../../src/subagent/resident/frames.ts';
import { createMemorySession } from './memory-session.ts';
import type { MemorySession } from './memory-session.ts';

export interface FakeProcess {
  readonly id: string;
  readonly start: Readonly<Record<string, unknown>>;
  readonly stdin: Buffer[];
  readonly sizes: unknown[];
  readonly isEof: boolean;
  readonly isRunning: boolean;
  /** Bytes that its fastest reader was sent. */
  written(): number;
  write(kind: FrameKind, bytes: Uint8Array | string): void;
  /** Forgets what it has written before this offset. */
  keepFrom(offset: number): void;
  end(exit?: Partial<Record<string, unknown>>): void;
}

export interface FakeResidentOptions {
  readonly instance?: string;
  readonly digest?: string;
  readonly token?: string;
  readonly hello?: Record<string, unknown>;
  /** Plays a command. */
  readonly onStart?: (process: FakeProcess) => void;
  /** Answers before anything else; true: it did. */
  readonly onRequest?: (stream: ServerHttp2Stream, method: string, path: string) => boolean | undefined;
}

export interface FakeResident {
  readonly processes: ReadonlyMap<string, FakeProcess>;
  /** Method and path of each request, in order. */
  readonly requests: string[];
  readonly greetings: Record<string, unknown>[];
  /** What commands were given as their environment, in order. */
  readonly environments: unknown[];
  /** Sessions that are open. */
  readonly sessions: ReadonlySet<MemorySession>;
  readonly isDraining: boolean;
  isAlive: boolean;
  /** What `resident connect` does, over a new session. */
  connect(): MemorySession;
  forget(id: string): void;
  /** The agent dies: its connections break, and nothing answers. */
  die(): void;
}

const SHOWN_CHARS = 16_384;

interface Entry extends FakeProcess {
  readonly key: string | undefined;
  output: { kind: FrameKind; bytes: Buffer; offset: number }[];
  total: number;
  oldest: number;
  tty: unknown;
  sent: number;
  exit: Record<string, unknown> | undefined;
  readonly changed: Set<() => void>;
}

export function createFakeResident(options: FakeResidentOptions = {}): FakeResident {
  const instance = options.instance ?? 'abcd1234';
  const processes = new Map<string, Entry>();
  const sessions = new Set<MemorySession>();
  const requests: string[] = [];
  const greetings: Record<string, unknown>[] = [];
  const environments: unknown[] = [];
  const listeners = new Set<(event: object) => void>();
  let count = 0;
  let draining = false;

  const fake: FakeResident = {
    processes,
    requests,
    greetings,
    environments,
    sessions,
    get isDraining() {
      return draining;
    },
    isAlive: true,
    connect,
    forget(id) {
      processes.delete(id);
      tell({ type: 'forgotten', id });
    },
    die() {
      fake.isAlive = false;
      for (const session of sessions) session.end(0);
    },
  };

  function connect(): MemorySession {
    const session = createMemorySession();
    const { inside } = session;
    sessions.add(session);
    void session.session.exited.then(() => sessions.delete(session));
    let line = Buffer.alloc(0);
    inside.on('data', function greet(chunk: Buffer) {
      line = Buffer.concat([line, chunk]);
      const end = line.indexOf(10);
      if (end < 0) return;
      inside.off('data', greet);
      inside.pause();
      const greeting = JSON.parse(line.subarray(0, end).toString()) as Record<string, unknown>;
      greetings.push(greeting);
      const rest = line.subarray(end + 1);
      if (rest.length > 0) inside.unshift(rest);
      const answer = answerTo(greeting);
      inside.write(`${JSON.stringify(answer)}\n`);
      if (answer.ok) serve(inside);
      else inside.end();
    });
    return session;
  }

  function answerTo(greeting: Record<string, unknown>): Record<string, unknown> & { ok: boolean } {
    if (!fake.isAlive && greeting['start'] !== true) return { ok: false, code: 'not-running', message: 'nothing runs' };
    if (options.token !== undefined && greeting['token'] !== options.token) {
      return { ok: false, code: 'wrong-token', message: 'the token is wrong' };
    }
    return {
      ok: true,
      protocol: 1,
      version: '1.2.3',
      digest: options.digest ?? 'a'.repeat(64),
      instance,
      pid: 77,
      started_at: '2025-01-01T00:00:00.000Z',
      adopted: false,
      others: [],
      ...options.hello,
    };
  }

  function serve(inside: Duplex): void {
    const server: Http2Server = createServer({ settings: { initialWindowSize: 1_048_576 } });
    server.on('sessionError', () => {});
    server.on('stream', (stream, headers) => {
      stream.on('error', () => {});
      const method = String(headers[':method']);
      const path = String(headers[':path'] ?? headers[':authority']);
      requests.push(`${method} ${path}`);
      if (options.onRequest?.(stream, method, path) === true) return;
      route(stream, method, new URL(method === 'CONNECT' ? `/connect/${path}` : path, 'http://resident'));
    });
    server.emit('connection', inside);
  }

  function route(stream: ServerHttp2Stream, method: string, url: URL): void {
    const [, , area, id, action] = url.pathname.split('/');
    const query = url.searchParams;
    if (method === 'CONNECT') return echo(stream);
    if (area === 'events') return events(stream);
    if (area === 'exec') return exec(stream);
    if (area === 'shutdown') {
      return void withJson(stream, () => {
        stream.respond({ ':status': 204 }, { endStream: true });
        stream.once('close', () => setImmediate(fake.die));
      });
    }
    if (area === 'environment') {
      return void withJson(stream, ({ env }) => {
        environments.push(env);
        stream.respond({ ':status': 204 }, { endStream: true });
      });
    }
    if (area === 'drain') {
      draining = true;
      return stream.respond({ ':status': 204 }, { endStream: true });
    }
    if (area !== 'processes') return refuse(stream, 404, 'not-found', `there is no ${url.pathname}`);
    if (id === undefined && method === 'GET') return answer(stream, { processes: [...processes.values()].map(wire) });
    if (id === undefined) {
      return void withJson(stream, (start) => {
        const known = byKey(start['key']);
        if (known && !isSame(known, start)) return refuseKey(stream);
        answer(stream, wire(known ?? begin(start)), known ? 200 : 201);
      });
    }
    const process = processes.get(id);
    if (!process) return refuse(stream, 404, 'not-found', `there is no process ${id}`);
    if (action === undefined && method === 'DELETE') {
      if (process.isRunning) return refuse(stream, 409, 'conflict', 'it runs');
      fake.forget(id);
      return stream.respond({ ':status': 204 }, { endStream: true });
    }
    if (action === undefined) return wait(stream, process, Number(query.get('wait') ?? 0));
    if (action === 'output') return output(stream, process, query, true);
    if (action === 'attach') {
      readInput(stream, process);
      return output(stream, process, new URLSearchParams([...query, ['follow', '1']]), true);
    }
    if (action === 'kill') {
      return void withJson(stream, () => {
        process.end({ code: null, signal: 'SIGTERM', reason: 'killed' });
        answer(stream, wire(process));
      });
    }
    if (action === 'stdin') {
      return void collect(stream).then((bytes) => {
        process.stdin.push(bytes);
        stream.respond({ ':status': 204 }, { endStream: true });
      });
    }
    if (action === 'resize' || action === 'signal') {
      return void withJson(stream, (body) => {
        if (action === 'resize' && !process.isRunning) return refuse(stream, 409, 'conflict', 'it has ended');
        process.sizes.push(body);
        if (action === 'resize') process.tty = body;
        stream.respond({ ':status': 204 }, { endStream: true });
      });
    }
    refuse(stream, 404, 'not-found', 'no such action');
  }

  function exec(stream: ServerHttp2Stream): void {
    let process: Entry | undefined;
    const parser = createFrameParser(({ kind, payload }) => {
      if (!process) {
        const start = JSON.parse(payload.toString()) as Record<string, unknown>;
        process = byKey(start['key']);
        if (process && !isSame(process, start)) return refuseKey(stream);
        process ??= begin(start);
        return output(stream, process, new URLSearchParams({ follow: '1' }), false);
      }
      takeInput(process, kind, payload);
    });
    stream.on('data', (chunk: Buffer) => parser.push(chunk));
  }

  function readInput(stream: ServerHttp2Stream, process: Entry): void {
    const parser = createFrameParser(({ kind, payload }) => takeInput(process, kind, payload));
    stream.on('data', (chunk: Buffer) => parser.push(chunk));
  }

  function takeInput(process: Entry, kind: FrameKind, payload: Buffer): void {
    if (kind === 0) process.sizes.push(JSON.parse(payload.toString()));
    else if (payload.length === 0) Object.assign(process, { isEof: true });
    else process.stdin.push(Buffer.from(payload));
    for (const changed of process.changed) changed();
  }

  function byKey(key: unknown): Entry | undefined {
    return [...processes.values()].find((process) => key !== undefined && process.key === key);
  }

  function isSame({ start: before }: Entry, start: Record<string, unknown>): boolean {
    return JSON.stringify([before['argv'], before['command']]) === JSON.stringify([start['argv'], start['command']]);
  }
  function refuseKey(stream: ServerHttp2Stream): void {
    refuse(stream, 409, 'conflict', 'the key belongs to another command');
  }

  function begin(start: Record<string, unknown>): Entry {
    const id = `${instance.slice(0, 4)}-${++count}`;
    const changed = new Set<() => void>();
    const process: Entry = {
      id,
      start,
      key: start['key'] as string | undefined,
      stdin: [],
      sizes: [],
      isEof: false,
      isRunning: true,
      output: [],
      total: 0,
      oldest: 0,
      tty: start['tty'] ?? null,
      sent: 0,
      written: () => process.sent,
      exit: undefined,
      changed,
      write(kind, text) {
        const bytes = Buffer.from(text as Uint8Array);
        for (let at = 0; at < bytes.length; at += 65_536) {
          const piece = bytes.subarray(at, at + 65_536);
          process.output.push({ kind, bytes: piece, offset: process.total });
          process.total += piece.length;
        }
        for (const change of changed) change();
      },
      keepFrom(offset) {
        process.oldest = offset;
      },
      end(exit = {}) {
        if (process.exit) return;
        process.exit = {
          code: 0,
          signal: null,
          reason: 'exit',
          survivors: [],
          background_held: false,
          at: '',
          ...exit,
        };
        Object.assign(process, { isRunning: false });
        for (const change of changed) change();
        tell({ type: 'process', process: wire(process) });
        tell({ type: 'busy', busy: busy() });
      },
    };
    processes.set(id, process);
    tell({ type: 'process', process: wire(process) });
    tell({ type: 'busy', busy: busy() });
    setImmediate(() => options.onStart?.(process));
    return process;
  }

  function wire(process: Entry): object {
    return {
      id: process.id,
      pid: 100 + Number(process.id.split('-')[1]),
      argv: ((process.start['argv'] ?? ['sh']) as string[]).map(shown),
      command: process.start['command'] === undefined ? undefined : shown(process.start['command'] as string),
      cwd: '/w',
      user: 'dev',
      tty: process.tty,
      merged: process.start['merged'] ?? false,
      kind: process.start['kind'],
      key: process.key,
      started_at: '2025-01-01T00:00:00.000Z',
      running: process.isRunning,
      exit: process.exit,
      output: { start: process.oldest, end: process.total },
      stdin: { written: process.stdin.reduce((sum, { length }) => sum + length, 0), open: !process.isEof },
    };
  }

  /** The output of a process as frames, waiting for whoever is slow. */
  function output(stream: ServerHttp2Stream, process: Entry, query: URLSearchParams, withOffset: boolean): void {
    let at = Math.max(Number(query.get('offset') ?? 0), process.oldest);
    const isFollowing = query.get('follow') === '1';
    let left = Number(query.get('limit') ?? Infinity);
    const state = (): object => (withOffset ? { offset: at, process: wire(process) } : { process: wire(process) });
    let isBusy = false;
    stream.respond({ ':status': 200 });
    stream.write(encodeJsonFrame(state()));
    const pump = (): void => {
      if (isBusy || stream.destroyed || stream.writableEnded) return;
      const entry = process.output.find(({ offset, bytes }) => offset + bytes.length > at);
      if (entry && left > 0) {
        const bytes = entry.bytes.subarray(at - entry.offset, at - entry.offset + left);
        at += bytes.length;
        left -= bytes.length;
        isBusy = true;
        stream.write(encodeFrame(entry.kind, bytes), () => {
          isBusy = false;
          process.sent = Math.max(process.sent, at);
          pump();
        });
      } else if (left <= 0 || !isFollowing || !process.isRunning) {
        process.changed.delete(pump);
        stream.end(encodeJsonFrame(state()));
      }
    };
    process.changed.add(pump);
    stream.once('close', () => process.changed.delete(pump));
    pump();
  }

  function wait(stream: ServerHttp2Stream, process: Entry, ms: number): void {
    if (!process.isRunning || ms === 0) return answer(stream, wire(process));
    const onChange = (): void => {
      if (process.isRunning) return;
      process.changed.delete(onChange);
      answer(stream, wire(process));
    };
    process.changed.add(onChange);
  }

  function busy(): { commands: number; terminals: number } {
    const running = [...processes.values()].filter(({ isRunning }) => isRunning);
    const terminals = running.filter(({ start }) => start['kind'] === 'terminal').length;
    return { commands: running.length - terminals, terminals };
  }

  function events(stream: ServerHttp2Stream): void {
    const send = (event: object): void => void stream.write(encodeJsonFrame(event));
    stream.respond({ ':status': 200 });
    send({ type: 'snapshot', processes: [...processes.values()].map(wire), busy: busy(), ports: [] });
    listeners.add(send);
    stream.once('close', () => listeners.delete(send));
  }
  function tell(event: object): void {
    for (const listener of listeners) listener(event);
  }

  return fake;
}

/** As much of a command line as is told. */
function shown(text: string): string {
  return text.length <= SHOWN_CHARS ? text : `${text.slice(0, SHOWN_CHARS)}…`;
}

export function answer(stream: ServerHttp2Stream, body: unknown, status = 200): void {
  stream.respond({ ':status': status, 'content-type': 'application/json' });
  stream.end(JSON.stringify(body));
}

export function refuse(stream: ServerHttp2Stream, status: number, code: string, message: string): void {
  answer(stream, { code, message }, status);
}

function echo(stream: ServerHttp2Stream): void {
  stream.respond({ ':status': 200 });
  stream.pipe(stream);
}

async function collect(stream: ServerHttp2Stream): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

async function withJson(stream: ServerHttp2Stream, then: (body: Record<string, unknown>) => void): Promise<void> {
  const bytes = await collect(stream);
  then(bytes.length === 0 ? {} : (JSON.parse(bytes.toString()) as Record<string, unknown>));
}
