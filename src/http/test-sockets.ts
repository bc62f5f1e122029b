import { expect, onTestFinished } from 'vitest';
import type { ClientOptions } from 'ws';
import { WebSocket } from 'ws';
import type { DevcontainerRuntime } from '../agentcontainers/api.ts';
import { createFakeClock } from '../testing/fake-clock.ts';
import type { RouterOptions } from './router.ts';
import { createRouter } from './router.ts';
import { scriptedApi } from './test-api.ts';
import { scriptedRuntime } from './test-runtime.ts';
import { mount, UpgradeRefused } from './test-server.ts';

// Support of the tests of WebSockets in this folder; not published.

/** Asks until it holds; the machine may be busy with other things. */
export const soon: typeof expect.poll = (probe) => {
  return expect.poll(probe, { timeout: 20_000, interval: 10 });
};

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
