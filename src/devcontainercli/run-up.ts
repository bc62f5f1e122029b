import { randomUUID } from 'node:crypto';
import { platform } from 'node:os';

import { LABEL } from '../agentcontainers/model/container.ts';
import type { UpOutcome, UpRequest } from '../agentcontainers/ports.ts';
import { upArguments } from './cli-arguments.ts';
import { orCancelled, refused, refusedFor, throwIfAborted, unusableConfiguration } from './cli-errors.ts';
import type { CliEnvironment, CliParts } from './cli-parts.ts';
import { composeAddition, composeFilesOf, composeVersionOf } from './compose-addition.ts';
import { containerEnd } from './container-end.ts';
import { configToUse } from './config-to-use.ts';
import { explainFailure, failedCommandOf, mayBeForItsEnd } from './explain-failure.ts';
import { gitRootOf } from './git-root.ts';
import { lockfileUse } from './lockfile.ts';
import { isComposeConfig, overrideConfig, runArgsFor, unfitConfig } from './override-config.ts';
import { ownUserId } from './process-group.ts';
import { acquireBuildLocks, environmentOf } from './run-build.ts';
import type { RunFolder } from './run-folder.ts';
import { runWithSteps } from './run-with-steps.ts';
import { parseUpResult } from './up-result.ts';
import { pruneUserData, userDataFolder } from './user-data-folder.ts';
import { comesAfter, waitForOf } from './wait-for.ts';
import { workspaceMountOf } from './workspace-mount.ts';

type Config = Readonly<Record<string, unknown>>;

/**
 * `devcontainer up`. Rejects with `cancelled`, `cli-missing` or `cli-output-invalid`.
 *
 * The CLI never reads the workspace's devcontainer.json itself: it gets what was read here, strictly and once.
 */
export async function runUp(parts: CliParts, request: UpRequest, onReady: () => void): Promise<UpOutcome> {
  const { key, signal } = request;
  throwIfAborted(signal);
  const json = await configToUse(request);
  if (json.kind !== 'valid') return refused('configuration', unusableConfiguration(key, json));
  const { config } = json;
  const unfit = unfitConfig(config, key.workspaceFolder, key.configPath);
  if (unfit !== undefined)
    return refused('configuration', `Using the configuration ${key.configPath} failed: ${unfit}`);
  const waitFor = waitForOf(config);
  const dataFolder =
    parts.stateDirectory !== undefined && isComposeConfig(config)
      ? userDataFolder(parts.stateDirectory, key)
      : undefined;
  let folder: RunFolder | undefined;
  let release: (() => void) | undefined;
  let runs = false;
  try {
    const environment = await environmentOf(parts, request, config);
    folder = await parts.openRunFolder();
    release = await acquireLocks(parts, request, config, environment);
    const prepared = await prepare(request, config, environment, folder);
    const args = upArguments({ ...prepared, userDataFolder: dataFolder }, parts.executables);
    await request.beforeSpawn?.();
    throwIfAborted(signal);
    const run = await runWithSteps(parts, {
      args,
      environment,
      folder,
      request,
      onHook: (hook) => {
        if (comesAfter(hook, waitFor)) onReady();
      },
      onContainerRuns() {
        // Its hooks may take for ever; nobody need wait for those.
        release?.();
        if (!runs) request.onContainerRuns?.();
        runs = true;
      },
    });
    const result = parseUpResult(run.resultLine);
    if (result === undefined || (result.outcome === 'success') !== (run.exit.exitCode === 0))
      throw run.unexpectedEnd(result);
    if (result.outcome === 'error') {
      const step = run.lastStep(failedCommandOf(result));
      const end =
        result.containerId !== undefined && mayBeForItsEnd(step)
          ? await containerEnd(parts, result.containerId, environment.env, signal)
          : undefined;
      throwIfAborted(signal);
      return explainFailure({ ...result, end }, step, environment.redact);
    }
    const { outcome, containerId, remoteUser, remoteWorkspaceFolder } = result;
    return { outcome, containerId, remoteUser, remoteWorkspaceFolder };
  } catch (error) {
    throwIfAborted(signal);
    return refusedFor(error, 'other', 'Bringing up the dev container');
  } finally {
    release?.();
    await folder?.remove();
    if (dataFolder !== undefined) await pruneUserData(dataFolder);
  }
}

/** A container that must be there is not built, but for a compose one the CLI prepares its features all the same. */
async function acquireLocks(
  parts: CliParts,
  request: UpRequest,
  config: Config,
  environment: CliEnvironment,
): Promise<() => void> {
  if (request.mode === 'find' && !isComposeConfig(config)) return () => {};
  return acquireBuildLocks(parts, request, config, environment);
}

/** Writes what the CLI will read. Rejects with `cancelled`, or with the file system's error. */
async function prepare(
  request: UpRequest,
  config: Config,
  { env }: CliEnvironment,
  folder: RunFolder,
): Promise<Omit<Parameters<typeof upArguments>[0], 'userDataFolder'>> {
  const { key, mode, signal, labels = {}, readOnlyMounts = [] } = request;
  const makes = mode === 'make';
  const isCompose = isComposeConfig(config);
  const root = await orCancelled(gitRootOf(key.workspaceFolder, ownUserId()), signal);
  const override = overrideConfig(config, {
    withoutInitializeCommand: request.withoutInitializeCommand === true,
    workspaceMount: workspaceMountOf(config, key.workspaceFolder, root, platform()),
    runArgs: makes && !isCompose ? runArgsFor(labels, readOnlyMounts) : [],
    dockerComposeFile: makes && isCompose ? await withAddition(request, config, env, folder) : undefined,
  });
  return {
    key,
    mustExist: !makes,
    overrideConfig: await folder.write('devcontainer.json', JSON.stringify(override)),
    idLabels: isCompose ? [] : idLabels(request),
    lockfile: await orCancelled(lockfileUse(key.configPath), signal),
  };
}

/**
 * Labels for finding one container among several of the same configuration, and for making one beside them. None leaves
 * it to the CLI, which also finds containers of older versions of it.
 *
 * `${devcontainerId}`, by which features name their volumes, is a hash over these labels and must stay the same for
 * every container of a configuration, or the next one would find its volumes empty. The CLI computes it from an object
 * that it fills label by label, in which this one name leaves no trace; the engine knows the label all the same.
 */
function idLabels({ key, mode, labels = {} }: UpRequest): string[] {
  const generation = labels[LABEL.generation] ?? (mode === 'make' ? randomUUID() : undefined);
  if (generation === undefined) return [];
  return [
    `${LABEL.localFolder}=${key.workspaceFolder}`,
    `${LABEL.configFile}=${key.configPath}`,
    `__proto__=${generation}`,
  ];
}

/** The compose files, with one of ours that adds labels and mounts. */
async function withAddition(
  { key, labels = {}, readOnlyMounts = [], signal }: UpRequest,
  config: Config,
  env: Readonly<Record<string, string>>,
  folder: RunFolder,
): Promise<readonly string[] | undefined> {
  const { service } = config;
  const isEmpty = Object.keys(labels).length === 0 && readOnlyMounts.length === 0;
  if (typeof service !== 'string' || isEmpty) return undefined;
  const files = await orCancelled(composeFilesOf(config, key), signal);
  const version = await orCancelled(composeVersionOf(files, key, env), signal);
  const text = composeAddition(service, version, labels, readOnlyMounts);
  return [...files, await folder.write('compose.agentcontainers.yml', text)];
}
