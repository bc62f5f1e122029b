/** What integration tests share: the engine that they may break, and the removal of everything they made in it. */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { cp, mkdir, mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { PRIVATE_ENGINE_PREFIX, engineKind, isAlive, runEngineScript, startEngineIn } from './engine-script.ts';

const FIXTURES = join(import.meta.dirname, '../../fixtures/devcontainers');

/** The image that every test engine has: busybox, users root and dev (uid 1000). */
export const BASE_IMAGE = 'agentcontainers-base:1';

export interface TestEngine {
  readonly dockerHost: string;
  /** Begins every name this test gives to containers, networks and folders; unique. */
  readonly prefix: string;
  /** `key=value`, for what has no name; unique. */
  readonly label: string;
  /** Runs the docker client against this engine; returns its standard output, trimmed. Bounded to 60 seconds. */
  docker(...args: string[]): Promise<string>;
  /** A copy of test/fixtures/devcontainers/`name` in a folder of its own; its real path. */
  copyFixture(name: string): Promise<string>;
  /** An empty folder with a unique name; its real path. */
  makeFolder(name?: string): Promise<string>;
  /** Removes what was made: containers (by label, name or workspace folder), networks, images, folders. */
  cleanup(): Promise<void>;
}

/** The engine of this run, or the one given, e.g. of {@link startPrivateEngine}. */
export function testEngine(
  dockerHost: string | undefined = process.env['AGENTCONTAINERS_TEST_DOCKER_HOST'],
): TestEngine {
  if (!dockerHost) {
    throw new Error('AGENTCONTAINERS_TEST_DOCKER_HOST is not set: run this file with --project integration.');
  }
  const id = randomBytes(4).toString('hex');
  const prefix = `ac-test-${id}`;
  const label = `agentcontainers.test=${id}`;
  let parent: Promise<string> | undefined;

  const docker = (...args: string[]): Promise<string> => runDocker(dockerHost, args);

  async function makeFolder(name = 'workspace'): Promise<string> {
    parent ??= mkdtemp(join(tmpdir(), `${prefix}-`)).then(async (folder) => realpath(folder));
    // The name of the folder ends up in the names of images and compose projects.
    const folder = join(await parent, `${prefix}-${randomBytes(4).toString('hex')}-${name}`);
    await mkdir(folder);
    return folder;
  }

  /** Ids of the rows whose text contains what only this test uses. */
  async function ours(...list: string[]): Promise<string[]> {
    const rows = (await docker(...list)).split('\n').filter(Boolean);
    return [...new Set(rows.filter((row) => row.includes(id)).map((row) => row.split(' ', 1)[0] ?? ''))];
  }

  return {
    dockerHost,
    prefix,
    label,
    docker,
    makeFolder,
    async copyFixture(name) {
      const folder = await makeFolder(basename(name));
      await cp(join(FIXTURES, name), folder, { recursive: true, verbatimSymlinks: true });
      return folder;
    },
    async cleanup() {
      const containers = await ours('ps', '-a', '--no-trunc', '--format', '{{.ID}} {{.Names}} {{.Labels}}');
      if (containers.length > 0) await docker('rm', '-f', '-v', ...containers);
      const networks = await ours('network', 'ls', '--no-trunc', '--format', '{{.ID}} {{.Name}} {{.Labels}}');
      if (networks.length > 0) await docker('network', 'rm', ...networks);
      const images = await ours('images', '--format', '{{.Repository}}:{{.Tag}} ');
      if (images.length > 0) await docker('rmi', '-f', ...images);
      if (parent) await rm(await parent, { recursive: true, force: true });
      parent = undefined;
    },
  };
}

function runDocker(dockerHost: string, args: readonly string[]): Promise<string> {
  const env: NodeJS.ProcessEnv = { ...process.env, DOCKER_HOST: dockerHost };
  delete env['DOCKER_CONTEXT'];
  return new Promise((resolve, reject) => {
    execFile('docker', args, { env, timeout: 60_000, maxBuffer: 1 << 26 }, (error, stdout, stderr) => {
      if (error)
        reject(new Error(`docker ${args.join(' ')} failed: ${stderr.trim() || error.message}`, { cause: error }));
      else resolve(stdout.trim());
    });
  });
}

/**
 * An engine for one test, of the kind that this run is about, to be killed and started again. It has the base image and
 * nothing else.
 */
export interface PrivateEngine extends AsyncDisposable {
  readonly dockerHost: string;
  /** Podman's containers do not need it: they run on when it is killed or stopped, and after the next start. */
  readonly containersOutliveIt: boolean;
  /** As `kill -9`: nothing is told to anybody; processes in containers live on, at least until the next start. */
  kill(): Promise<void>;
  /** As a shutdown of the service: containers are stopped, unless they outlive it. */
  stop(): Promise<void>;
  /** Freezes it: it accepts connections and answers nothing. */
  freeze(): Promise<void>;
  thaw(): Promise<void>;
  /** Starts it again on the same address, with its containers as they were left. */
  start(): Promise<void>;
  /** Ends it for good and removes its data. Idempotent. */
  close(): Promise<void>;
}

export async function startPrivateEngine(): Promise<PrivateEngine> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), PRIVATE_ENGINE_PREFIX)));
  await writeFile(join(folder, 'owner'), String(process.pid));
  const kind = engineKind();
  let dockerHost = '';

  async function signal(name: NodeJS.Signals): Promise<number> {
    const pid = Number(await readFile(join(folder, 'pid'), 'utf8'));
    process.kill(pid, name);
    return pid;
  }
  async function start(): Promise<void> {
    dockerHost = await startEngineIn(folder);
  }
  async function close(): Promise<void> {
    // A frozen process does not take a polite end.
    await signal('SIGCONT').catch(() => {});
    await runEngineScript(['down', '--purge', '--dir', folder]);
  }

  try {
    await start();
    await runEngineScript(['base-image'], { DOCKER_HOST: dockerHost });
  } catch (error) {
    await close();
    throw error;
  }
  return {
    dockerHost,
    containersOutliveIt: kind === 'podman',
    start,
    close,
    async kill() {
      await ended(await signal('SIGKILL'));
    },
    async stop() {
      await ended(await signal('SIGTERM'));
    },
    async freeze() {
      await signal('SIGSTOP');
    },
    async thaw() {
      await signal('SIGCONT');
    },
    [Symbol.asyncDispose]: close,
  };
}

/** The kernel tells nobody but the parent when a process ends: ask again and again, for 30 seconds at most. */
async function ended(pid: number): Promise<void> {
  const deadline = performance.now() + 30_000;
  while (await isAlive(pid)) {
    if (performance.now() > deadline)
      throw new Error(`Waiting for the engine (process ${pid}) to end failed: it still runs.`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
