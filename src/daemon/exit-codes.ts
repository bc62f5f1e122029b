import { type ErrorCode, isAgentContainersError } from '../errors.ts';

/** What the process ends with. `exec` passes the command's own code on instead: 126, 127 and 128+n keep their meaning. */
export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 2,
  notFound: 3,
  conflict: 4,
  engineUnreachable: 5,
  /** As the shell's `timeout` has it. */
  timedOut: 124,
  interrupted: 130,
} as const;

const BY_CODE: Partial<Record<ErrorCode, number>> = {
  'invalid-request': EXIT.usage,
  'devcontainer-id-missing': EXIT.usage,
  'config-invalid': EXIT.usage,
  'devcontainer-not-found': EXIT.notFound,
  'container-not-found': EXIT.notFound,
  'operation-not-found': EXIT.notFound,
  'folder-not-found': EXIT.notFound,
  'config-not-found': EXIT.notFound,
  'process-not-found': EXIT.notFound,
  'path-not-found': EXIT.notFound,
  'forward-not-found': EXIT.notFound,
  'engine-object-not-found': EXIT.notFound,
  'workspace-folder-label-missing': EXIT.usage,
  'devcontainer-transitioning': EXIT.conflict,
  'recreation-in-progress': EXIT.conflict,
  'devcontainer-busy': EXIT.conflict,
  // Somebody has to look at it first.
  'devcontainer-not-trusted': EXIT.conflict,
  'verdict-changed': EXIT.conflict,
  'devcontainer-not-adopted': EXIT.conflict,
  'devcontainer-not-running': EXIT.conflict,
  'devcontainer-ambiguous': EXIT.conflict,
  'config-ambiguous': EXIT.conflict,
  'command-refused': EXIT.conflict,
  'port-taken': EXIT.conflict,
  'sub-agent-name-taken': EXIT.conflict,
  'sub-agent-unsupported': EXIT.conflict,
  'engine-conflict': EXIT.conflict,
  'runtime-unavailable': EXIT.conflict,
  // It was ended before it was done.
  cancelled: EXIT.failed,
  // Another daemon has it.
  'state-locked': EXIT.conflict,
  // A listing fails when the engine does not answer, or not in time.
  'list-failed': EXIT.engineUnreachable,
  'engine-unreachable': EXIT.engineUnreachable,
  'engine-api-version': EXIT.engineUnreachable,
};

const BY_STATUS: Readonly<Record<number, number>> = {
  400: EXIT.usage,
  404: EXIT.notFound,
  409: EXIT.conflict,
  413: EXIT.usage,
  415: EXIT.usage,
};

/** The exit code for whatever a command threw: by error code, else by the HTTP status of the daemon's answer, else 1. */
export function exitCodeOf(error: unknown): number {
  if (!isAgentContainersError(error)) return EXIT.failed;
  const status = error.details['status'];
  return BY_CODE[error.code] ?? (typeof status === 'number' ? BY_STATUS[status] : undefined) ?? EXIT.failed;
}
