import type { ReadOnlyMount } from '../agentcontainers/ports.ts';
import { field, type WorkspaceMount } from './workspace-mount.ts';

/** What is different in the configuration that the CLI gets from the one in the workspace. */
export interface ConfigChanges {
  /** Leave out the command that runs on the host. */
  readonly withoutInitializeCommand: boolean;
  readonly workspaceMount: WorkspaceMount;
  /** Further arguments for the engine's `run`, after those of the workspace. */
  readonly runArgs?: readonly string[] | undefined;
  /** In place of its own, with paths that do not depend on where the configuration lies. */
  readonly dockerComposeFile?: readonly string[] | undefined;
}

/** The configuration for `--override-config`. Nothing but the changes differs, not even the order of properties. */
export function overrideConfig(
  config: Readonly<Record<string, unknown>>,
  changes: ConfigChanges,
): Record<string, unknown> {
  const { workspaceMount, runArgs = [], dockerComposeFile } = changes;
  const result: Record<string, unknown> = { ...config, ...workspaceMount };
  if (changes.withoutInitializeCommand) delete result['initializeCommand'];
  if (runArgs.length > 0) result['runArgs'] = [...((config['runArgs'] as unknown[] | undefined) ?? []), ...runArgs];
  if (dockerComposeFile !== undefined) result['dockerComposeFile'] = dockerComposeFile;
  return result;
}

/**
 * Arguments of the engine's `run` for labels and for mounts that the container cannot write. Given last, no argument of
 * the workspace can change them; and arguments, unlike `mounts`, do not end up in the metadata of the image.
 */
export function runArgsFor(
  labels: Readonly<Record<string, string>>,
  mounts: readonly ReadOnlyMount[],
): readonly string[] {
  return [
    ...Object.entries(labels).flatMap(([name, value]) => ['--label', `${name}=${value}`]),
    ...mounts.flatMap(({ source, target }) => [
      '--mount',
      `type=bind,${field('source', source)},${field('target', target)},readonly`,
    ]),
  ];
}

/** True when the CLI makes the container by compose. */
export function isComposeConfig(config: Readonly<Record<string, unknown>>): boolean {
  const build: unknown = config['build'];
  const isBuilt = 'dockerFile' in config || (typeof build === 'object' && build !== null && 'dockerfile' in build);
  return 'dockerComposeFile' in config && !isBuilt && !('image' in config);
}

/** Why the CLI cannot be given this configuration; `undefined` when it can. */
export function unfitConfig(
  config: Readonly<Record<string, unknown>>,
  workspaceFolder: string,
  configPath: string,
): string | undefined {
  const { runArgs } = config;
  if (runArgs !== undefined && runArgs !== null && !(Array.isArray(runArgs) && runArgs.every(isText))) {
    return 'its property runArgs is not a list of texts. Correct it and try again.';
  }
  // The CLI cuts the labels by which it waits for its container at the second equals sign, and would wait for ever.
  if (!isComposeConfig(config) && `${workspaceFolder}${configPath}`.includes('=')) {
    return 'the devcontainer CLI cannot work with a path that contains `=`. Rename the folder and try again.';
  }
  return undefined;
}

function isText(value: unknown): boolean {
  return typeof value === 'string';
}
