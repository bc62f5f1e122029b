import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type {
  ContainerEngine,
  ContainerRuntime,
  OutputChunk,
  SubAgentBinary,
  SubAgentProcess,
} from '../../src/agentcontainers/ports.ts';
import { systemClock } from '../../src/clock/system-clock.ts';
import { silentLogger } from '../../src/logger.ts';
import { createSubAgentLauncher } from '../../src/subagent/launcher.ts';
import { BASE_IMAGE } from './support/engine-harness.ts';
import type { TestEngine } from './support/engine-harness.ts';
import { writeConfig } from './support/library.ts';
import { launchRequest, within } from './sub-agent-support.ts';

export const RESIDENT_DIRECTORY =
  process.env['AGENTCONTAINERS_TEST_RESIDENT'] ?? join(import.meta.dirname, '../../assets/resident');
const PATH = join(RESIDENT_DIRECTORY, 'linux-amd64/resident');

/** False where no Go toolchain was there to build it. */
export const isResidentBuilt = existsSync(PATH);

export async function residentBinary(path = PATH): Promise<SubAgentBinary> {
  const sha256 = createHash('sha256')
    .update(await readFile(path))
    .digest('hex');
  return { name: 'resident', path, sha256, protocol: 'resident' };
}

export interface LaunchedResident extends SubAgentProcess {
  readonly runtime: ContainerRuntime;
}

/** Delivers and starts, or adopts, the resident of a container. */
export async function launchResident(
  engine: ContainerEngine,
  containerId: string,
  options: {
    readonly secret?: string;
    readonly binary?: SubAgentBinary;
    readonly user?: string;
    readonly env?: Record<string, string>;
    readonly onBusy?: (reason: string | undefined) => void;
    readonly readyTimeoutMs?: number;
  } = {},
): Promise<LaunchedResident> {
  const binary = options.binary ?? (await residentBinary());
  const { secret, user, env, onBusy, readyTimeoutMs } = options;
  const launcher = createSubAgentLauncher({
    engine,
    clock: systemClock,
    logger: silentLogger,
    ...(secret !== undefined && { residentSecret: secret }),
    ...(readyTimeoutMs !== undefined && { limits: { readyTimeoutMs } }),
  });
  const { path } = await launcher.deliver({ containerId, binary, user, signal: within() });
  const request = launchRequest({ containerId, binary, path, user, onBusy, ...(env && { env }) });
  const launched = await launcher.launch({ ...request, signal: new AbortController().signal });
  if (!launched.runtime) throw new Error('the resident has no runtime');
  return launched as LaunchedResident;
}

/** All that a command writes. */
export async function collect(output: AsyncIterable<OutputChunk>): Promise<{ stdout: Buffer; stderr: Buffer }> {
  const stdout: Uint8Array[] = [];
  const stderr: Uint8Array[] = [];
  for await (const { stream, bytes } of output) (stream === 'stdout' ? stdout : stderr).push(bytes);
  return { stdout: Buffer.concat(stdout), stderr: Buffer.concat(stderr) };
}

/** Runs a line to its end. */
export async function sh(
  runtime: ContainerRuntime,
  command: string,
): Promise<{ readonly text: string; readonly errors: string; readonly code: number | null }> {
  const running = await runtime.exec({ command, timeoutMs: 60_000 });
  const { stdout, stderr } = await collect(running.output);
  return { text: stdout.toString(), errors: stderr.toString(), code: (await running.exited).code };
}

/** A container as the devcontainer CLI makes it, in a folder below the roots of the libraries of this engine. */
export async function runDevcontainer(
  world: TestEngine,
  how: {
    readonly image?: string | undefined;
    /** Of `docker run`. */
    readonly options?: readonly string[] | undefined;
    /** What it does; it has to end by `docker rm -f`. */
    readonly does?: readonly string[] | undefined;
    readonly config?: object | undefined;
  } = {},
): Promise<{ readonly folder: string; readonly containerId: string }> {
  const folder = await world.makeFolder();
  await writeConfig(folder, {
    image: BASE_IMAGE,
    workspaceMount: `source=${folder},target=/workspace,type=bind`,
    workspaceFolder: '/workspace',
    ...how.config,
  });
  const containerId = await world.docker(
    ...['run', '-d', '--stop-timeout', '0', '--label', world.label],
    ...['--label', `devcontainer.local_folder=${folder}`],
    ...['--label', `devcontainer.config_file=${folder}/.devcontainer.json`],
    // Only one that has its folder is taken for its container.
    ...['-v', `${folder}:/workspace`],
    ...(how.options ?? []),
    how.image ?? BASE_IMAGE,
    ...(how.does ?? ['sleep', '900']),
  );
  return { folder, containerId };
}
