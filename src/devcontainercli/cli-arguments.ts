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
  request: {
    readonly key: EntryKey;
    readonly lockfile: LockfileUse;
    /** The container must be there: none is made. */
    readonly mustExist: boolean;
    /** The configuration that is used; the path of the real one still counts for everything that depends on it. */
    readonly overrideConfig: string;
    /** Labels by which the container is found, and which a new one gets, in place of the CLI's own two. */
    readonly idLabels: readonly string[];
    /** Where the CLI keeps what it wants to find again. */
    readonly userDataFolder?: string | undefined;
  },
  executables: EngineExecutables = {},
): string[] {
  return [
    'up',
    ...common(request.key, executables),
    ...withoutGit(request.overrideConfig),
    ...lockfileArgument(request.lockfile),
    // Who has the configuration has remoteEnv; it has no business in a label of a container, which anyone can read.
    '--omit-config-remote-env-from-metadata',
    ...(request.mustExist ? ['--expect-existing-container'] : []),
    ...request.idLabels.flatMap((label) => ['--id-label', label]),
    ...(request.userDataFolder === undefined ? [] : ['--user-data-folder', request.userDataFolder]),
  ];
}

/** Arguments of `devcontainer build`, which runs no git. */
export function buildArguments(
  request: {
    /** Its `configPath` is what the CLI reads. */
    readonly key: EntryKey;
    readonly lockfile: LockfileUse;
  },
  executables: EngineExecutables = {},
): string[] {
  return ['build', ...common(request.key, executables), ...lockfileArgument(request.lockfile)];
}

/** Arguments of `devcontainer read-configuration`, which never writes a lock file. */
export function readConfigurationArguments(
  request: {
    readonly key: EntryKey;
    readonly containerId?: string | undefined;
    readonly overrideConfig: string;
  },
  executables: EngineExecutables = {},
): string[] {
  return [
    'read-configuration',
    ...common(request.key, executables),
    ...withoutGit(request.overrideConfig),
    '--include-merged-configuration',
    ...(request.containerId === undefined ? [] : ['--container-id', request.containerId]),
  ];
}

/**
 * Git would run whatever the configuration of the repository tells it to, so the CLI must not ask it; what it would
 * say is in the override configuration.
 */
function withoutGit(overrideConfig: string): string[] {
  return ['--override-config', overrideConfig, '--mount-workspace-git-root=false'];
}

/**
 * One of the two is always given: without them the CLI writes `devcontainer-lock.json` into the workspace, which would
 * make our own work look like an edit.
 */
function lockfileArgument(use: LockfileUse): string[] {
  return [use === 'frozen' ? '--frozen-lockfile' : '--no-lockfile'];
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
