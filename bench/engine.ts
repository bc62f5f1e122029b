import { mkdtemp, realpath, writeFile } from 'node:fs/promises';
import { Agent, request } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { runChild } from './child.ts';
import type { Cleanup } from './cleanup.ts';
import { ENGINE_SCRIPT } from './paths.ts';

export interface EngineEvent {
  readonly action: string;
  readonly containerId: string;
  /** The engine's own time of it, ms since the epoch. */
  readonly at: number;
}

/** The engine, spoken to without the library, so that what is measured does not measure itself. */
export interface BenchEngine {
  readonly dockerHost: string;
  readonly name: string;
  /** Environment with which the docker client reaches it. */
  readonly env: NodeJS.ProcessEnv;
  /** Any status below 400, and those in `accepted`, are good. */
  call(method: 'GET' | 'POST' | 'DELETE', path: string, body?: unknown, accepted?: readonly number[]): Promise<unknown>;
  /** Tells of container events until the returned function is called. Resolves when the engine has answered. */
  follow(actions: readonly string[], onEvent: (event: EngineEvent) => void): Promise<() => void>;
}

/** The engine that AGENTCONTAINERS_TEST_DOCKER_HOST names, or a private one that is gone afterwards. */
export async function openEngine(cleanup: Cleanup, say: (text: string) => void): Promise<BenchEngine> {
  const dockerHost = process.env['AGENTCONTAINERS_TEST_DOCKER_HOST'] ?? (await startPrivateEngine(cleanup, say));
  const env = { ...process.env, DOCKER_HOST: dockerHost };
  await runChild('bash', [ENGINE_SCRIPT, 'base-image'], { env });
  const engine = connect(dockerHost);
  const version = (await engine.call('GET', '/version')) as { readonly Version: string };
  return { ...engine, name: `engine ${version.Version}`, env };
}

async function startPrivateEngine(cleanup: Cleanup, say: (text: string) => void): Promise<string> {
  // Named and marked like the engines of the integration tests, whose next run ends it if this process is killed.
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'ac-engine-')));
  await writeFile(join(folder, 'owner'), String(process.pid));
  cleanup.add('the private engine', () => runChild('bash', [ENGINE_SCRIPT, 'down', '--purge', '--dir', folder]));
  say('Starting a private engine…');
  const answer = await runChild('bash', [ENGINE_SCRIPT, 'start', '--isolated', '--dir', folder]);
  return answer.trim().replace(/^DOCKER_HOST=/, '');
}

function connect(dockerHost: string): Pick<BenchEngine, 'dockerHost' | 'call' | 'follow'> {
  const agent = new Agent({ keepAlive: true, maxSockets: 16 });
  const url = new URL(dockerHost);
  const where =
    url.protocol === 'unix:' ? { socketPath: url.pathname } : { host: url.hostname, port: Number(url.port) || 2375 };

  function open(method: string, path: string, body: unknown, pooled: boolean): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const payload = body === undefined ? undefined : JSON.stringify(body);
      const headers = payload
        ? { 'content-type': 'application/json', 'content-length': Buffer.byteLength(payload) }
        : {};
      const sent = request({ ...where, method, path, headers, agent: pooled ? agent : false }, resolve);
      sent.once('error', reject);
      sent.end(payload);
    });
  }

  return {
    dockerHost,
    async call(method, path, body, accepted = []) {
      const reply = await open(method, path, body, true);
      const chunks: Buffer[] = [];
      for await (const chunk of reply as AsyncIterable<Buffer>) chunks.push(chunk);
      const text = Buffer.concat(chunks).toString();
      const status = reply.statusCode ?? 0;
      if (status >= 400 && !accepted.includes(status)) throw new Error(`${method} ${path}: ${status} ${text}`);
      return text.startsWith('{') || text.startsWith('[') ? JSON.parse(text) : undefined;
    },
    async follow(actions, onEvent) {
      const filters = encodeURIComponent(JSON.stringify({ type: ['container'], event: actions }));
      const reply = await open('GET', `/events?filters=${filters}`, undefined, false);
      reply.on('error', () => {});
      createInterface({ input: reply }).on('line', (line) => {
        const event = JSON.parse(line) as { Action: string; timeNano: number; Actor: { ID: string } };
        onEvent({ action: event.Action, containerId: event.Actor.ID, at: event.timeNano / 1e6 });
      });
      return () => void reply.destroy();
    },
  };
}
