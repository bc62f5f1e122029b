/** What the tests of the adapter of @devcontainers/cli share. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import type { EntryKey } from '../../../src/agentcontainers/model/devcontainer.ts';
import type {
  BuildOutcome,
  BuildRequest,
  CliFailure,
  CliProgress,
  DevcontainerCli,
  UpOutcome,
  UpRequest,
} from '../../../src/agentcontainers/ports.ts';
import { systemClock } from '../../../src/clock/system-clock.ts';
import { createDevcontainerCli, type DevcontainerCliOptions } from '../../../src/devcontainercli/devcontainer-cli.ts';
import { silentLogger } from '../../../src/logger.ts';
import { BASE_IMAGE, type TestEngine } from './engine-harness.ts';

export const neverAborted = new AbortController().signal;

/** The adapter for this engine. */
export function cliFor(engine: TestEngine, options: Partial<DevcontainerCliOptions> = {}): DevcontainerCli {
  return createDevcontainerCli({
    dockerHost: async () => engine.dockerHost,
    clock: systemClock,
    logger: silentLogger,
    ...options,
  });
}

/** A folder with this configuration of the base image, and with these files. */
export async function workspaceWith(
  engine: TestEngine,
  config: object | string,
  files: Readonly<Record<string, string>> = {},
): Promise<EntryKey> {
  const workspaceFolder = await engine.makeFolder();
  return writeWorkspace(workspaceFolder, config, files);
}

/** As {@link workspaceWith}, in a folder that may be there. */
export async function writeWorkspace(
  workspaceFolder: string,
  config: object | string,
  files: Readonly<Record<string, string>> = {},
): Promise<EntryKey> {
  const configPath = join(workspaceFolder, '.devcontainer/devcontainer.json');
  const text =
    typeof config === 'string'
      ? config
      : JSON.stringify(
          'image' in config || 'build' in config || 'dockerComposeFile' in config
            ? config
            : { image: BASE_IMAGE, init: true, ...config },
        );
  for (const [name, content] of Object.entries({ '.devcontainer/devcontainer.json': text, ...files })) {
    await mkdir(join(workspaceFolder, name, '..'), { recursive: true });
    await writeFile(join(workspaceFolder, name), content);
  }
  return { workspaceFolder, configPath };
}

/** Files of a local feature whose installation runs this script. */
export function featureFiles(script: string, name = 'my-feature', properties: object = {}): Record<string, string> {
  return {
    [`.devcontainer/${name}/devcontainer-feature.json`]: JSON.stringify({
      id: name,
      version: '1.0.0',
      name,
      ...properties,
    }),
    [`.devcontainer/${name}/install.sh`]: script,
  };
}

export function runUp(cli: DevcontainerCli, key: EntryKey, options: Partial<UpRequest> = {}) {
  const progress: CliProgress[] = [];
  const run = cli.up({
    key,
    mode: 'make',
    onProgress: (step) => progress.push(step),
    signal: neverAborted,
    ...options,
  });
  return { ...run, progress };
}

export async function runBuild(
  cli: DevcontainerCli,
  key: EntryKey,
  options: Partial<BuildRequest> = {},
): Promise<BuildOutcome> {
  return cli.build({ key, onProgress: () => {}, signal: neverAborted, ...options });
}

export function successOf<Outcome extends UpOutcome | BuildOutcome>(
  outcome: Outcome,
): Extract<Outcome, { outcome: 'success' }> {
  if (outcome.outcome === 'error') throw new Error(`${outcome.message}\n${outcome.outputTail}`);
  return outcome as Extract<Outcome, { outcome: 'success' }>;
}

export function failureOf(outcome: UpOutcome | BuildOutcome): CliFailure {
  if (outcome.outcome === 'success') throw new Error('The run was expected to fail.');
  return outcome;
}

/** Ids of the containers of this folder, the newest first. */
export async function containersOf(engine: TestEngine, folder: string): Promise<string[]> {
  const list = await engine.docker('ps', '-aq', '--no-trunc', '--filter', `label=devcontainer.local_folder=${folder}`);
  const ids = list.split('\n').filter((id) => id !== '');
  if (ids.length < 2) return ids;
  // Not every engine lists them in this order.
  const rows = await engine.docker('inspect', '-f', '{{.Created}} {{.Id}}', ...ids);
  return rows
    .split('\n')
    .toSorted()
    .toReversed()
    .map((row) => row.split(' ', 2)[1] ?? '');
}

export async function labelsOf(engine: TestEngine, container: string): Promise<Record<string, string>> {
  return JSON.parse(await engine.docker('inspect', '-f', '{{json .Config.Labels}}', container)) as Record<
    string,
    string
  >;
}
