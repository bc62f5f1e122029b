import { randomUUID } from 'node:crypto';
import { basename, dirname, join } from 'node:path';

import type { BuildOutcome, BuildRequest } from '../agentcontainers/ports.ts';
import { withoutValues } from '../text/secret-values.ts';
import { withProjectName } from './child-environment.ts';
import { buildArguments } from './cli-arguments.ts';
import { orCancelled, refused, refusedFor, throwIfAborted, unusableConfiguration } from './cli-errors.ts';
import type { CliEnvironment, CliParts } from './cli-parts.ts';
import { parseBuildResult } from './build-result.ts';
import { secretsOf } from './config-secrets.ts';
import { configToUse } from './config-to-use.ts';
import { explainFailure, failedCommandOf } from './explain-failure.ts';
import { lockfileUse } from './lockfile.ts';
import { isComposeConfig } from './override-config.ts';
import { runWithSteps } from './run-with-steps.ts';
import type { RunFolder } from './run-folder.ts';

/**
 * `devcontainer build`. Rejects with `cancelled`, `cli-missing` or `cli-output-invalid`.
 *
 * The CLI never reads the workspace's devcontainer.json itself: it gets what was judged, or was read here, strictly and
 * once. By a file of that name somebody could give arguments to the builder, which writes files of the host then.
 */
export async function runBuild(parts: CliParts, request: BuildRequest): Promise<BuildOutcome> {
  const { key, signal } = request;
  throwIfAborted(signal);
  // The CLI takes a truncated file for a smaller one and would build from it.
  const json = await configToUse(request);
  if (json.kind !== 'valid') return refused('configuration', unusableConfiguration(key, json));
  const offered = offeredPath(key.configPath);
  let folder: RunFolder | undefined;
  let release: (() => void) | undefined;
  try {
    const { env, redact } = await environmentOf(parts, request, json.config);
    // A path that is nowhere means nothing to people.
    const environment = { env, redact: (text: string) => redact(text).replaceAll(offered, key.configPath) };
    folder = await parts.openRunFolder();
    release = await acquireBuildLocks(parts, request, json.config, environment);
    const lockfile = await orCancelled(lockfileUse(key.configPath), signal);
    await folder.offer(offered, JSON.stringify(forBuild(json.config)));
    const args = buildArguments({ key: { ...key, configPath: offered }, lockfile }, parts.executables);
    await request.beforeSpawn?.();
    throwIfAborted(signal);
    const run = await runWithSteps(parts, { args, environment, folder, request });
    const result = parseBuildResult(run.resultLine);
    if (result === undefined || (result.outcome === 'success') !== (run.exit.exitCode === 0))
      throw run.unexpectedEnd(result);
    if (result.outcome === 'success') return { outcome: 'success', images: result.imageName };
    return explainFailure(result, run.lastStep(failedCommandOf(result)), environment.redact, 'build');
  } catch (error) {
    throwIfAborted(signal);
    return refusedFor(error, 'build', 'Building the image');
  } finally {
    release?.();
    await folder?.remove();
  }
}

/**
 * A path in the same folder, to which everything in the configuration is relative, and at which there is no file. The
 * CLI goes by the first character of the name when it looks for the lock file.
 */
function offeredPath(configPath: string): string {
  const dot = basename(configPath).startsWith('.') ? '.' : '';
  return join(dirname(configPath), `${dot}agentcontainers-${randomUUID()}.json`);
}

/**
 * `remoteEnv` is for commands in the container; in a label of the image, which the CLI makes of it, anyone could read it.
 * And of an image beside compose files `build` takes the files, while `up` takes the image.
 */
function forBuild(config: Readonly<Record<string, unknown>>): object {
  const { remoteEnv: _, ...others } = config;
  const { dockerComposeFile: _unused, ...withoutCompose } = others;
  return isComposeConfig(config) ? others : withoutCompose;
}

/** Environment of the next run, with the name of its compose project. What is told of it has no secrets of either. */
export async function environmentOf(
  parts: CliParts,
  { signal, composeProject }: Pick<BuildRequest, 'signal' | 'composeProject'>,
  config: Readonly<Record<string, unknown>>,
): Promise<CliEnvironment> {
  const { env, redact } = await parts.environment(signal);
  const withoutSecrets = withoutValues(secretsOf(config));
  return { env: withProjectName(env, composeProject), redact: (text) => withoutSecrets(redact(text)) };
}

/** Waits for what would take this build's images, or have its own taken by it. Rejects with `cancelled`. */
export async function acquireBuildLocks(
  { locks, buildKit, clock }: CliParts,
  { key, signal, onProgress }: BuildRequest,
  config: Readonly<Record<string, unknown>>,
  { env }: CliEnvironment,
): Promise<() => void> {
  const { features } = config;
  const hasFeatures = typeof features === 'object' && features !== null && Object.keys(features).length > 0;
  const sharesFeatures = hasFeatures && !(await buildKit.isUsed(isComposeConfig(config), env, signal));
  const { workspaceFolder } = key;
  let said = false;
  const onWait = (): void => {
    if (!said) onProgress({ phase: 'build', level: 3, text: 'Waiting for another build to end', at: clock.now() });
    said = true;
  };
  try {
    return await locks.acquire({ workspaceFolder, sharesFeatures }, signal, onWait);
  } catch (error) {
    throwIfAborted(signal);
    throw error;
  }
}
