import type { EntryKey } from '../agentcontainers/model/devcontainer.ts';

/**
 * What the CLI may do with the lock file of features. Both choices leave the workspace untouched: `frozen` uses the
 * versions of an existing lock file and fails when they do not fit, `none` neither reads nor writes one.
 */
export type LockfileUse = 'frozen' | 'none';

/** Other executables than `docker` and `docker-compose` on PATH. */
export interface EngineExecutables {
  readonly dockerPath?: string | undefined;
  readonly composePath?: string | undefined;
}

/** Arguments of `devcontainer up`, without the interpreter and the script. */
export function upArguments(
  request: { readonly key: EntryKey; readonly removeExisting: boolean; readonly lockfile: LockfileUse },
  executables: EngineExecutables = {},
): string[] {
  return [
    'up',
    ...common(request.key, executables),
    // One of the two is always given: without them the CLI writes `devcontainer-lock.json` into the workspace, which
    // would make our own work look like an edit.
    request.lockfile === 'frozen' ? '--frozen-lockfile' : '--no-lockfile',
    ...(request.removeExisting ? ['--remove-existing-container'] : []),
  ];
}

/** Arguments of `devcontainer read-configuration`, which never writes a lock file. */
export function readConfigurationArguments(
  request: { readonly key: EntryKey; readonly containerId?: string | undefined },
  executables: EngineExecutables = {},
): string[] {
  return [
    'read-configuration',
    ...common(request.key, executables),
    '--include-merged-configuration',
    ...(request.containerId === undefined ? [] : ['--container-id', request.containerId]),
  ];
}

function common(key: EntryKey, executables: EngineExecutables): string[] {
  return [
    '--workspace-folder',
    key.workspaceFolder,
    '--config',
    key.configPath,
    '--log-format',
    'json',
    ...(executables.dockerPath === undefined ? [] : ['--docker-path', executables.dockerPath]),
    ...(executables.composePath === undefined ? [] : ['--docker-compose-path', executables.composePath]),
  ];
}
