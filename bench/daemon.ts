import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { WebSocket } from 'ws';
import type { Cleanup } from './cleanup.ts';
import type { BenchEngine } from './engine.ts';
import { DAEMON } from './paths.ts';

export interface WireContainer {
  readonly id: string;
  readonly name: string;
  readonly running: boolean;
}

export interface WireList {
  readonly devcontainers: readonly {
    readonly id: string;
    readonly status: string;
    readonly container?: WireContainer;
    readonly agent?: { readonly status: string; readonly reason?: string };
  }[];
  readonly containers: readonly WireContainer[];
}

export interface Frame {
  /** When it arrived, ms since the epoch. */
  readonly at: number;
  readonly list: WireList;
}

export interface RunningDaemon {
  readonly pid: number;
  /** Where WebSockets of the router begin. */
  readonly webSocketBase: string;
  /** Joins `/watch`; calls back for each frame until the returned function is called. */
  watch(onFrame: (frame: Frame) => void): Promise<() => void>;
  stop(): Promise<void>;
}

/** `agentcontainers serve` of the built package, in a process and a state directory of its own. */
export async function startDaemon(
  engine: BenchEngine,
  root: string,
  cleanup: Cleanup,
  flags: readonly string[] = [],
): Promise<RunningDaemon> {
  const state = await mkdtemp(join(tmpdir(), 'ac-bench-state-'));
  const removeState = cleanup.add('the state directory', () => rm(state, { recursive: true, force: true }));
  const socket = join(state, 'daemon.sock');
  const webSocketBase = `ws+unix://${socket}:/api/v0/containers`;
  const log = join(state, 'log');
  const child = spawn(
    process.execPath,
    [
      ...[DAEMON, 'serve', root, '--adopt', 'all', '--listen', 'off'],
      ...['--docker-host', engine.dockerHost, '--state-dir', state, '--socket', socket, ...flags],
    ],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  child.stderr.pipe(createWriteStream(log));
  const ended = once(child, 'exit');
  const stop = cleanup.add('the daemon', async () => {
    child.kill('SIGTERM');
    const kill = setTimeout(() => child.kill('SIGKILL'), 20_000);
    if (child.exitCode === null && child.signalCode === null) await ended;
    clearTimeout(kill);
    await removeState();
  });
  // It says where it is to be reached when its first pass has ended.
  await Promise.race([
    once(child.stdout, 'data'),
    ended.then(async () => {
      throw new Error(`The daemon ended at once: ${await readFile(log, 'utf8')}`);
    }),
  ]);
  child.stdout.resume();
  if (child.pid === undefined) throw new Error('The daemon has no process id.');
  return {
    pid: child.pid,
    webSocketBase,
    stop,
    async watch(onFrame) {
      const client = new WebSocket(`${webSocketBase}/watch`);
      client.on('message', (bytes: Buffer) => {
        const at = Date.now();
        onFrame({ at, list: JSON.parse(bytes.toString()) as WireList });
      });
      await once(client, 'open');
      return () => client.terminate();
    },
  };
}
