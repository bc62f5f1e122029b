import { expect, onTestFinished } from 'vitest';
import type { ClientOptions } from 'ws';
import { WebSocket } from 'ws';
import type { DevcontainerRuntime } from '../agentcontainers/api.ts';
import type {
  AttachedProcess,
  CommandExit,
  CommandProcess,
  OutputChunk,
  RunningCommand,
} from '../agentcontainers/ports.ts';
import { createDeferred } from '../async/deferred.ts';
import type { Deferred } from '../async/deferred.ts';
import { createItemPipe } from '../async/item-pipe.ts';
import { createFakeClock } from '../testing/fake-clock.ts';
import type { RouterOptions } from './router.ts';
import { createRouter } from './router.ts';
import { scriptedApi } from './test-api.ts';
import { mount, UpgradeRefused } from './test-server.ts';

// Support of the tests of WebSockets in this folder; not published.

/** Asks until it holds; the machine may be busy with other things. */
export const soon: typeof expect.poll = (probe) => {
  return expect.poll(probe, { timeout: 20_000, interval: 10 });
};

/** What runs in a container and does what the script says; any other call throws its name. */
export function scriptedRuntime(script: Partial<DevcontainerRuntime> = {}): DevcontainerRuntime {
  const base: Partial<DevcontainerRuntime> = { via: () => Promise.resolve('resident'), ...script };
  return new Proxy(base, {
    get(target, name) {
      return (
        Reflect.get(target, name) ??
        (() => {
          throw new Error(`unscripted call: ${String(name)}`);
        })
      );
    },
  }) as DevcontainerRuntime;
}

/** A router over one devcontainer, `dc-1`. */
export async function serveRuntime(script: Partial<DevcontainerRuntime>, options: RouterOptions = {}) {
  const clock = createFakeClock();
  const runtime = scriptedRuntime(script);
  const asked: string[] = [];
  const api = scriptedApi({
    devcontainer(id) {
      asked.push(id);
      return runtime;
    },
  });
  const router = createRouter(api, { clock, ...options });
  const port = await mount(router);
  return { clock, router, port, asked, url: (path: string) => `ws://127.0.0.1:${port}/mnt/devcontainers/dc-1/${path}` };
}

/** A command or terminal that a test plays; its output waits for its reader as that of a resident does. */
export class FakeProcess {
  readonly #exited = createDeferred<CommandExit>();
  readonly #pipe = createItemPipe<OutputChunk>(() => {
    for (const resolve of this.#hasRoom.splice(0)) resolve();
  });
  readonly #hasRoom: (() => void)[] = [];
  readonly #part: Partial<CommandProcess>;
  readonly input: string[] = [];
  inputBytes = 0;
  detaches = 0;
  /** Set: what is written is not taken until it resolves. */
  gate: Deferred<void> | undefined;
  /** Where output begins. */
  at: number;
  #exit: CommandExit | undefined;

  constructor(part: Partial<CommandProcess> = {}) {
    this.#part = part;
    this.at = part.output?.start ?? 0;
  }

  get process(): CommandProcess {
    return {
      id: 'abcd-1',
      pid: 7,
      argv: ['sh'],
      cwd: '/workspace',
      user: 'dev',
      tty: null,
      merged: false,
      kind: 'exec',
      startedAt: '2025-01-31T12:00:00.000Z',
      running: this.#exit === undefined,
      exit: this.#exit,
      output: { start: 0, end: this.at },
      stdin: { written: this.inputBytes, isOpen: true },
      via: 'resident',
      ...this.#part,
    };
  }

  /** Prints; resolves when more may be printed. */
  print(content: string | Uint8Array, stream: OutputChunk['stream'] = 'stdout'): Promise<void> {
    const bytes = Buffer.from(content as string);
    const isFree = this.#pipe.push({ stream, offset: this.at, bytes }, bytes.length);
    this.at += bytes.length;
    return isFree ? Promise.resolve() : new Promise((resolve) => this.#hasRoom.push(resolve));
  }

  /** Loses output, as one does that nobody has read. */
  lose(bytes: number): void {
    this.at += bytes;
  }

  exit(how: Partial<CommandExit> = {}): void {
    this.#exit = {
      code: 0,
      signal: null,
      reason: 'exit',
      survivors: [],
      backgroundHeld: false,
      via: 'resident',
      ...how,
    };
    this.#pipe.end();
    this.#exited.resolve(this.#exit);
  }

  fail(error: unknown): void {
    this.#pipe.fail(error);
  }

  /** Its end is known, its output is not complete. */
  lost(error: unknown): void {
    this.#pipe.fail(error);
    this.exit({ code: null, reason: 'lost' });
  }

  get running(): RunningCommand {
    return { ...this.attached, ...this.#fields(), via: 'resident', kill: () => Promise.reject(new Error('not used')) };
  }

  get attached(): AttachedProcess {
    return this.#fields();
  }

  #fields() {
    const describe = (): CommandProcess => this.process;
    return {
      get process() {
        return describe();
      },
      offset: this.at,
      output: this.#pipe,
      exited: this.#exited.promise,
      write: async (bytes: Uint8Array | string) => {
        this.inputBytes += bytes.length;
        await this.gate?.promise;
        this.input.push(Buffer.from(bytes as string).toString());
      },
      closeStdin: () => void this.input.push('<end>'),
      resize: () => Promise.reject(new Error('not used')),
      detach: () => {
        this.detaches++;
        this.#pipe.discard();
      },
    };
  }
}

/** A frame of the server: its JSON, or its bytes. */
export type ServerFrame = { readonly type: string; readonly [name: string]: unknown } | Buffer;

export class SocketClient {
  readonly ws: WebSocket;
  readonly frames: ServerFrame[] = [];
  readonly headers: Record<string, unknown>;
  readonly closed: Promise<{ code: number; reason: string }>;
  #wake: () => void = () => {};

  constructor(ws: WebSocket, headers: Record<string, unknown>) {
    this.ws = ws;
    this.headers = headers;
    ws.on('error', () => {});
    ws.on('message', (content: Buffer, isBinary) => {
      this.frames.push(isBinary ? Buffer.from(content) : (JSON.parse(content.toString()) as ServerFrame));
      this.#wake();
    });
    this.closed = new Promise((resolve) => {
      ws.on('close', (code, reason) => {
        resolve({ code, reason: reason.toString() });
        this.#wake();
      });
    });
  }

  send(frame: object | string): void {
    this.ws.send(typeof frame === 'string' ? frame : JSON.stringify(frame));
  }

  sendBytes(content: string | Uint8Array): void {
    this.ws.send(Buffer.from(content as string), { binary: true });
  }

  /** Frames of JSON with this type. */
  texts(type?: string): Exclude<ServerFrame, Buffer>[] {
    return this.frames.filter((one) => !Buffer.isBuffer(one) && (type === undefined || one.type === type)) as never;
  }

  /** What binary frames hold; with `stream`, of those that begin with this byte, without it. */
  bytes(stream?: 1 | 2): Buffer {
    const binary = this.frames.filter((one) => Buffer.isBuffer(one));
    if (stream === undefined) return Buffer.concat(binary);
    return Buffer.concat(binary.filter(([first]) => first === stream).map((one) => one.subarray(1)));
  }

  async until(holds: (client: this) => boolean): Promise<void> {
    while (!holds(this)) {
      if (this.ws.readyState === WebSocket.CLOSED) throw new Error(`closed, with ${JSON.stringify(this.frames)}`);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  async text(type: string): Promise<Exclude<ServerFrame, Buffer>> {
    await this.until(() => this.texts(type).length > 0);
    return this.texts(type)[0] as Exclude<ServerFrame, Buffer>;
  }
}

/** Opens a WebSocket. Rejects with the refusal. */
export function openSocket(
  url: string,
  headers: Record<string, string> = {},
  options: ClientOptions = {},
): Promise<SocketClient> {
  const ws = new WebSocket(url, { headers, ...options });
  onTestFinished(() => ws.terminate());
  return new Promise((resolve, reject) => {
    let client: SocketClient | undefined;
    ws.on('error', reject);
    // Before `open`: frames can come with the same packet.
    ws.on('upgrade', (res) => {
      client = new SocketClient(ws, res.headers);
    });
    ws.on('unexpected-response', (_req, res) => {
      let text = '';
      res.on('data', (chunk: Buffer) => (text += chunk.toString()));
      res.on('end', () => reject(new UpgradeRefused(res.statusCode ?? 0, JSON.parse(text) as object)));
    });
    ws.on('open', () => resolve(client as SocketClient));
  });
}
