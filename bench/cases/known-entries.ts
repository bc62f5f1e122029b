import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PersistedState } from '../../src/agentcontainers/ports.ts';
import type { BenchContext } from '../context.ts';
import { sleep } from '../context.ts';
import { DAEMON } from '../paths.ts';
import type { Row } from '../row.ts';
import { median } from '../row.ts';

const ROUNDS = 9;
const COUNT = 200;
const LIMIT_MS = 60_000;
const NOW = Date.UTC(2024, 0, 1);

/**
 * From the start of the daemon's process to its first answer that lists all 200 entries, which it knows from its state
 * directory. Nothing is left out: the start of Node.js, the connection to the engine and the first pass are in it. No
 * containers run; each entry has its folder with a configuration, which is read.
 */
export async function knownEntries({ engine, cleanup, say }: BenchContext): Promise<Row[]> {
  const root = await realpath(await mkdtemp(join(tmpdir(), 'ac-bench-known-')));
  const dispose = cleanup.add('the folders', () => rm(root, { recursive: true, force: true }));
  try {
    const state = join(root, 'state');
    await mkdir(state, { mode: 0o700 });
    await writeFile(join(state, 'state.json'), JSON.stringify(await makeEntries(root)), { mode: 0o600 });
    const samples: number[] = [];
    say(`Starting a daemon that knows ${COUNT} entries: ${ROUNDS} rounds…`);
    for (let round = 0; round <= ROUNDS; round++) {
      const ms = await startOnce(engine.dockerHost, root, state);
      // The first one warms the caches of the file system.
      if (round > 0) samples.push(ms);
    }
    return [
      {
        name: `start of the daemon to its first answer, ${COUNT} known entries`,
        unit: 'ms',
        ours: median(samples),
        demand: { kind: 'below', value: 1_000 },
        rounds: String(ROUNDS),
        samples: { ours: samples },
      },
    ];
  } finally {
    await dispose();
  }
}

/** The state as a daemon leaves it, and the folders that it speaks of. */
async function makeEntries(root: string): Promise<PersistedState> {
  const numbers = Array.from({ length: COUNT }, (_, index) => String(index).padStart(4, '0'));
  const entries = await Promise.all(
    numbers.map(async (number) => {
      const workspaceFolder = join(root, `w${number}`);
      const configPath = join(workspaceFolder, '.devcontainer/devcontainer.json');
      await mkdir(join(workspaceFolder, '.devcontainer'), { recursive: true });
      const config = { name: `w${number}`, build: { dockerfile: 'Dockerfile' }, remoteUser: 'dev' };
      await writeFile(configPath, `${JSON.stringify(config, null, 2)}\n`);
      await writeFile(join(workspaceFolder, '.devcontainer/Dockerfile'), 'FROM agentcontainers-base:1\n');
      const fingerprint = number.repeat(16);
      const inputs = { image: fingerprint, name: fingerprint, Dockerfile: fingerprint };
      return {
        id: `00000000-0000-4000-8000-00000000${number}`,
        workspaceFolder,
        configPath,
        adopted: true,
        made: [{ containerId: fingerprint, fingerprint, inputs, ours: true }],
      };
    }),
  );
  const operations = entries.map(({ id }, index) => ({
    id: `op-${index}`,
    devcontainerId: id,
    kind: 'create',
    status: 'succeeded',
    phase: 'postCreateCommand',
    startedAt: NOW,
    endedAt: NOW + 60_000,
    logOffset: 0,
    steps: [],
  }));
  return { version: 1, entries, operations };
}

/** Starts the daemon, asks until it answers with all entries, and ends it. */
async function startOnce(dockerHost: string, root: string, state: string): Promise<number> {
  const socket = join(state, 'daemon.sock');
  const began = performance.now();
  const child = spawn(
    process.execPath,
    [DAEMON, 'serve', root, '--listen', 'off', '--docker-host', dockerHost, '--state-dir', state],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  let complaint = '';
  child.stderr.on('data', (chunk: Buffer) => (complaint = (complaint + chunk.toString()).slice(-2_000)));
  const ended = once(child, 'exit');
  try {
    for (;;) {
      const listed = await countListed(socket);
      const ms = performance.now() - began;
      if (listed === COUNT) return ms;
      if (listed !== undefined) throw new Error(`It listed ${listed} entries.`);
      if (child.exitCode !== null || ms > LIMIT_MS) throw new Error(`The daemon did not answer: ${complaint}`);
      await sleep(2);
    }
  } finally {
    child.kill('SIGTERM');
    const kill = setTimeout(() => child.kill('SIGKILL'), 20_000);
    await ended;
    clearTimeout(kill);
  }
}

/** `undefined` while nobody answers. */
function countListed(socketPath: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const sent = request({ socketPath, path: '/devcontainers', agent: false }, (reply) => {
      const chunks: Buffer[] = [];
      reply.on('data', (chunk: Buffer) => chunks.push(chunk));
      reply.on('end', () => {
        const text = Buffer.concat(chunks).toString();
        if (reply.statusCode !== 200) return reject(new Error(`GET /devcontainers: ${reply.statusCode} ${text}`));
        resolve((JSON.parse(text) as { readonly devcontainers: readonly unknown[] }).devcontainers.length);
      });
      reply.on('error', reject);
    });
    sent.on('error', () => resolve(undefined));
    sent.end();
  });
}
