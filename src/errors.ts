/**
 * The one error class of this project, its code registry and the named reasons for aborting work.
 *
 * Message grammar: `<doing what> failed: <reason>`, then the next step a person can take.
 */

/** Every code an {@link AgentContainersError} can carry, with the family that decides how it is treated. */
export const ERROR_FAMILIES = {
  // A request that was refused. Answered to the caller; never kept in state.
  'invalid-request': 'rejected',
  'devcontainer-id-missing': 'rejected',
  'devcontainer-not-found': 'rejected',
  'container-not-found': 'rejected',
  'operation-not-found': 'rejected',
  'workspace-folder-label-missing': 'rejected',
  'devcontainer-transitioning': 'rejected',
  'recreation-in-progress': 'rejected',
  'devcontainer-busy': 'rejected',
  'devcontainer-not-trusted': 'rejected',
  'verdict-changed': 'rejected',
  'devcontainer-not-adopted': 'rejected',
  'devcontainer-not-running': 'rejected',
  'devcontainer-ambiguous': 'rejected',
  'process-not-found': 'rejected',
  'path-not-found': 'rejected',
  'command-refused': 'rejected',
  'port-taken': 'rejected',
  'forward-not-found': 'rejected',
  'folder-not-found': 'rejected',
  'config-not-found': 'rejected',
  'config-ambiguous': 'rejected',
  'config-invalid': 'rejected',
  'api-closed': 'rejected',
  unauthorized: 'rejected',
  // Work that was tried and did not succeed. Kept in state under its owner; the next pass or a person retries.
  'list-failed': 'failed',
  'up-failed': 'failed',
  'stop-failed': 'failed',
  'remove-failed': 'failed',
  'sub-agent-delete-failed': 'failed',
  'sub-agent-name-taken': 'failed',
  'sub-agent-delivery-failed': 'failed',
  'sub-agent-start-failed': 'failed',
  'sub-agent-unsupported': 'failed',
  'control-plane-unreachable': 'failed',
  'control-plane-refused': 'failed',
  'engine-unreachable': 'failed',
  'engine-api-version': 'failed',
  'engine-request-failed': 'failed',
  'engine-object-not-found': 'failed',
  'engine-conflict': 'failed',
  'cli-missing': 'failed',
  'cli-failed': 'failed',
  'cli-output-invalid': 'failed',
  'state-unreadable': 'failed',
  'state-locked': 'failed',
  'daemon-unreachable': 'failed',
  'runtime-unavailable': 'failed',
  'connection-refused': 'failed',
  'listen-failed': 'failed',
  'local-file-failed': 'failed',
  timeout: 'failed',
  // We ended it ourselves: never an error in state.
  cancelled: 'cancelled',
  // The program is wrong.
  'broken-contract': 'broken',
} as const satisfies Record<string, 'rejected' | 'failed' | 'cancelled' | 'broken'>;

export type ErrorCode = keyof typeof ERROR_FAMILIES;
export type ErrorFamily = (typeof ERROR_FAMILIES)[ErrorCode];

/** Shape of a failed child process or exec; equal to the shape of a successful one but for its values. */
export interface FailedCommand {
  /** The command as a person would type it; secrets redacted. */
  readonly command: string;
  readonly exitCode?: number | undefined;
  readonly signal?: string | undefined;
  readonly timedOut: boolean;
  readonly isCancelled: boolean;
  /** Last lines of its output: at most 40 lines and 8 KiB, secrets redacted. */
  readonly outputTail: string;
}

export interface ErrorDetails {
  readonly [name: string]: unknown;
  /** The longer second sentence that HTTP shows as `detail`. */
  readonly detail?: string | undefined;
  readonly command?: FailedCommand | undefined;
}

export class AgentContainersError extends Error {
  override readonly name = 'AgentContainersError';
  readonly code: ErrorCode;
  readonly details: ErrorDetails;

  constructor(code: ErrorCode, message: string, options: { cause?: unknown; details?: ErrorDetails } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.details = options.details ?? {};
  }

  get family(): ErrorFamily {
    return ERROR_FAMILIES[this.code];
  }
}

/** True when `error` is ours and, if codes are given, carries one of them. */
export function isAgentContainersError(error: unknown, ...codes: ErrorCode[]): error is AgentContainersError {
  return error instanceof AgentContainersError && (codes.length === 0 || codes.includes(error.code));
}

/** Why we ended work ourselves. */
export type CancelReason = 'closing' | 'superseded' | 'deleted' | 'pre-empted' | 'caller-left';

/** The reason put into `AbortController.abort(...)`, so that whoever sees it knows that the end was wanted. */
export function cancelled(reason: CancelReason): AgentContainersError {
  return new AgentContainersError('cancelled', `Cancelled: ${reason}.`, { details: { reason } });
}

/** True for our own named cancellation and for the DOM's `AbortError`, also when it is the cause of another error. */
export function isCancelled(error: unknown): boolean {
  for (let at: unknown = error, depth = 0; at instanceof Error && depth < 8; at = at.cause, depth++) {
    if (isAgentContainersError(at, 'cancelled') || at.name === 'AbortError') return true;
  }
  return false;
}

/** One line a person can read, whatever was thrown. Never a stack trace. */
export function errorMessage(error: unknown): string {
  const text = error instanceof Error ? error.message || error.name : String(error);
  return text.split('\n', 1)[0] ?? '';
}

/** The reason out of the message of an error, so that it can stand in another one. */
export function reasonOf(error: unknown): string {
  return errorMessage(error)
    .replace(/^[^:]*? failed: /, '')
    .replace(/[.\s]+$/, '');
}
