import { execFile } from 'node:child_process';
import { readFile, readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const SCRIPT = join(import.meta.dirname, '../../../scripts/engine.sh');

/** How the folders of private engines of tests begin, in the folder for temporary files. */
export const PRIVATE_ENGINE_PREFIX = 'ac-engine-';

export type EngineKind = 'docker' | 'podman';

const KIND_VARIABLE = 'AGENTCONTAINERS_TEST_ENGINE';

/** Which engine this run is about: Docker unless AGENTCONTAINERS_TEST_ENGINE says `podman`. */
export function engineKind(): EngineKind {
  const kind = process.env[KIND_VARIABLE] || 'docker';
  if (kind === 'docker' || kind === 'podman') return kind;
  throw new Error(`Preparing the integration tests failed: ${KIND_VARIABLE} is ${kind}, and not docker or podman.`);
}

/** Starts a private engine in `folder`, or starts one there again; its address. */
export async function startEngineIn(folder: string): Promise<string> {
  const answer = await runEngineScript(['start', '--isolated', '--engine', engineKind(), '--dir', folder]);
  return answer.trim().replace(/^DOCKER_HOST=/, '');
}

/** Runs scripts/engine.sh and returns its standard output; its last words are the reason when it fails. */
export function runEngineScript(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { env: { ...process.env, ...env }, timeout: 90_000 };
    execFile('bash', [SCRIPT, ...args], options, (error, stdout, stderr) => {
      if (!error) return resolve(stdout);
      const words = stderr.trim().split('\n').slice(-4).join(' ').trim();
      reject(new Error(words || `scripts/engine.sh ${args.join(' ')} failed: ${error.message}.`, { cause: error }));
    });
  });
}

/** True while a process with this id runs; false also for one that has ended and was not cleared away yet. */
export async function isAlive(pid: number): Promise<boolean> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  return /^State:\s+[^ZX\s]/m.test(status);
}

/** Ends the private engines of test runs that were killed before they could. */
export async function sweepAbandonedEngines(): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    if (!name.startsWith(PRIVATE_ENGINE_PREFIX)) continue;
    const folder = join(tmpdir(), name);
    const owner = Number(await readFile(join(folder, 'owner'), 'utf8').catch(() => Number.NaN));
    if (Number.isInteger(owner) && !(await isAlive(owner))) await runEngineScript(['down', '--purge', '--dir', folder]);
  }
}
