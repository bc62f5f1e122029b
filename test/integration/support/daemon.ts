/** The daemon as a process of its own, built from these sources. */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { cp, mkdir, mkdtemp, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { WireDevcontainer, WireOperation, WireReceipt } from '../../../src/http/wire-schemas.ts';
import { ask, type Answer, type Ask } from '../../../src/http/test-server.ts';
import { eventually } from './eventually.ts';

const REPOSITORY = join(import.meta.dirname, '../../..');
const CACHE = join(REPOSITORY, 'node_modules/.cache');
export const API = '/api/v0/containers';
export const JSON_TYPE = { 'content-type': 'application/json' };

export interface DaemonBuild {
  /** What is run by node. */
  readonly main: string;
  remove(): Promise<void>;
}

/** Compiles the daemon to a folder below node_modules, where it finds its dependencies. */
export async function buildDaemon(): Promise<DaemonBuild> {
  await mkdir(CACHE, { recursive: true });
  const folder = await mkdtemp(join(CACHE, 'agentcontainers-daemon-'));
  const remove = (): Promise<void> => rm(folder, { recursive: true, force: true });
  try {
    await cp(join(REPOSITORY, 'package.json'), join(folder, 'package.json'));
    await symlink(join(REPOSITORY, 'assets'), join(folder, 'assets'));
    const tsc = join(REPOSITORY, 'node_modules/.bin/tsc');
    const args = ['-p', join(REPOSITORY, 'tsconfig.build.json'), '--outDir', join(folder, 'dist')];
    await promisify(execFile)(tsc, args, { timeout: 60_000 });
  } catch (error) {
    await remove();
    throw error;
  }
  return { main: join(folder, 'dist/daemon/main.js'), remove };
}

export interface DaemonProcess {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly socket: string;
  /** `http://127.0.0.1:port`; empty with `--listen off`. */
  readonly url: string;
  /** Empty without `--debug-address`. */
  readonly debugUrl: string;
  /** All it has written to both streams. */
  output(): string;
  /** A request over the socket. */
  ask(path: string, request?: Omit<Ask, 'path'>): Promise<Answer>;
  get<T>(path: string): Promise<T>;
  /** Asks for a folder to be brought up; returns when that was accepted. */
  create(workspaceFolder: string): Promise<WireReceipt>;
  /** Waits for a state of one devcontainer. */
  until(id: string, what: string, matches: (seen: WireDevcontainer) => boolean): Promise<WireDevcontainer>;
  /** Waits until an operation has ended. */
  ended(operationId: string): Promise<WireOperation>;
  /** Ends it by a signal; resolves with its exit code when it is gone. Idempotent. */
  end(signal: NodeJS.Signals): Promise<number | null>;
}

interface Report {
  readonly pid: number;
  readonly socket: string;
  readonly url?: string;
  readonly debug?: string;
}

/** Starts `serve` and resolves when it answers. */
export async function startDaemon(options: {
  readonly main: string;
  readonly dockerHost: string;
  readonly stateDir: string;
  readonly args: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
}): Promise<DaemonProcess> {
  const { main, dockerHost, stateDir, args } = options;
  const child = spawn(process.execPath, [main, 'serve', '--json', '--state-dir', stateDir, ...args], {
    env: { ...process.env, ...options.env, DOCKER_HOST: dockerHost },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  let stdout = '';
  const exited = new Promise<number | null>((resolve) => child.once('exit', resolve));
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const { daemon } = await new Promise<{ daemon: Report }>((resolve, reject) => {
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString();
      stdout += chunk.toString();
      if (stdout.includes('\n')) resolve(JSON.parse(stdout) as { daemon: Report });
    });
    void exited.then((code) => reject(new Error(`serve ended with ${code}: ${output}`)));
  });

  const askSocket = (path: string, request: Omit<Ask, 'path'> = {}): Promise<Answer> =>
    ask(daemon.socket, { ...request, path });
  async function get<T>(path: string): Promise<T> {
    const answer = await askSocket(path);
    if (answer.status !== 200) throw new Error(`GET ${path} answered ${answer.status}: ${answer.text}`);
    return answer.json as T;
  }
  return {
    child,
    pid: daemon.pid,
    socket: daemon.socket,
    url: daemon.url ?? '',
    debugUrl: daemon.debug ?? '',
    output: () => output,
    ask: askSocket,
    get,
    async create(workspaceFolder) {
      const body = JSON.stringify({ workspace_folder: workspaceFolder });
      const answer = await askSocket(`${API}/devcontainers`, { method: 'POST', headers: JSON_TYPE, body });
      if (answer.status !== 202) throw new Error(`Creating answered ${answer.status}: ${answer.text}`);
      return answer.json as WireReceipt;
    },
    until: (id, what, matches) =>
      eventually(what, async () => {
        const seen = await get<WireDevcontainer>(`${API}/devcontainers/${id}`);
        return matches(seen) ? seen : undefined;
      }),
    ended: (operationId) =>
      eventually('the end of the operation', async () => {
        const operation = await get<WireOperation>(`${API}/operations/${operationId}`);
        return operation.status === 'running' ? undefined : operation;
      }),
    end(signal) {
      child.kill(signal);
      return exited;
    },
  };
}

export const isInjected = (seen: WireDevcontainer): boolean =>
  seen.status === 'running' && seen.agent?.status === 'running';
