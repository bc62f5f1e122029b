/** What engines do not have in common, found out by trying it on the engine of this run; docs/design/engines.md lists it. */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { inject } from 'vitest';

export interface EngineFeatures {
  /** As the engine calls itself. */
  readonly name: string;
  readonly version: string;
  /** An upload reaches what is mounted in a running container, and not only what lies below the mount. */
  readonly uploadReachesMounts: boolean;
  /** A container with a read-only root has writable places all the same, without having asked for them. */
  readonly readOnlyRootHasTmpfs: boolean;
  /** The output of an exec stays open while children of the command hold it. */
  readonly holdsExecOutput: boolean;
  /** Events tell the command line of an exec, and uploads. */
  readonly eventsTellExecs: boolean;
  /** The newest container stands first in a listing, so that an `up` of the CLI finds it rather than an older one. */
  readonly listsNewestFirst: boolean;
  /** A path with a comma can be mounted. */
  readonly mountsPathsWithCommas: boolean;
  /** A bind mount of what is not there is refused; else it is made, on the host. */
  readonly refusesMissingSources: boolean;
  /** The docker client tells why a command could not be started. */
  readonly clientTellsRefusals: boolean;
}

/** Of the engine of this run. */
export const engineFeatures = (): EngineFeatures => inject('engineFeatures');

const IMAGE = 'agentcontainers-base:1';

/** Needs the base image. Leaves nothing behind. */
export async function probeEngine(dockerHost: string): Promise<EngineFeatures> {
  const docker = async (...args: string[]): Promise<string> => {
    const { stdout } = await promisify(execFile)('docker', ['-H', dockerHost, ...args], { timeout: 60_000 });
    return stdout.trim();
  };
  const succeeds = (...args: string[]): Promise<boolean> =>
    docker(...args).then(
      () => true,
      () => false,
    );
  const name = `ac-probe-${randomBytes(4).toString('hex')}`;
  const label = `agentcontainers.probe=${name}`;
  const run = ['run', '-d', '--label', label, '--stop-timeout', '0'];
  const folder = await mkdtemp(join(tmpdir(), 'ac-probe-'));
  try {
    const since = Math.floor(Date.now() / 1_000) - 1;
    await docker(...run, '--name', name, '--tmpfs', '/mounted', IMAGE, 'sleep', '600');
    await docker(...run, '--name', `${name}-ro`, '--read-only', IMAGE, 'sleep', '600');
    await docker('cp', '/proc/version', `${name}:/mounted/probe`);
    const began = performance.now();
    await docker('exec', name, 'sh', '-c', 'sleep 1 &');
    const holdsExecOutput = performance.now() - began > 1_000;
    const events = await eventsSince(docker, since);
    // So many that no other order is likely to look like it.
    const made: string[] = [];
    for (let i = 0; i < 6; i++) made.unshift(await docker('create', '--label', `${label}-order`, IMAGE));
    const listed = await docker('ps', '-aq', '--no-trunc', '--filter', `label=${label}-order`);
    const withComma = ['create', '--label', label, '--mount', '"type=tmpfs","target=/a, b"', IMAGE];
    const missing = ['--mount', `type=bind,source=${join(folder, 'missing')},target=/x`];
    // Docker writes it to standard output.
    const refusal = await docker('exec', '-u', 'nobody-there', name, 'true').catch(
      (error: { stdout?: string; stderr?: string }) => `${error.stdout} ${error.stderr}`,
    );
    return {
      ...parseVersion(await docker('version', '--format', '{{json .Server}}')),
      uploadReachesMounts: await succeeds('exec', name, 'test', '-e', '/mounted/probe'),
      readOnlyRootHasTmpfs: await succeeds('exec', `${name}-ro`, 'touch', '/run/probe'),
      holdsExecOutput,
      eventsTellExecs: events.includes('exec_start: sh -c sleep 1 &'),
      listsNewestFirst: listed === made.join('\n'),
      mountsPathsWithCommas: await succeeds(...withComma),
      refusesMissingSources: !(await succeeds(...run, ...missing, IMAGE, 'true')),
      clientTellsRefusals: refusal.includes('unable to find user'),
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
    const rows = await docker('ps', '-a', '--no-trunc', '--format', '{{.ID}} {{.Labels}}');
    const ours = rows.split('\n').filter((row) => row.includes(name));
    if (ours.length > 0) await docker('rm', '-f', '-v', ...ours.map((row) => row.split(' ', 1)[0] ?? ''));
  }
}

/**
 * All events from `since`, as `docker info` or the clock tells it, up to now; a JSON object a line. An engine can leave out
 * some when the end that is asked for has gone by, so this waits for an end that is to come.
 */
export async function eventsSince(
  docker: (...args: string[]) => Promise<string>,
  since: string | number,
): Promise<string> {
  const until = Math.floor(Date.now() / 1_000) + 2;
  return docker('events', '--since', String(since), '--until', String(until), '--format', '{{json .}}');
}

function parseVersion(json: string): { readonly name: string; readonly version: string } {
  const { Version, Components } = JSON.parse(json) as { Version: string; Components?: { Name: string }[] };
  const component = Components?.[0]?.Name ?? 'Engine';
  return { name: component === 'Engine' ? 'Docker Engine' : component, version: Version };
}
