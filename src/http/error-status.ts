import type { ErrorCode } from '../errors.ts';
import { AgentContainersError, errorMessage, isAgentContainersError } from '../errors.ts';
import { errorFields, type ErrorFields } from './error-fields.ts';

export type { Validation } from './error-fields.ts';

/** The one place where statuses and messages of errors are decided. */
interface Answer {
  readonly status: number;
  readonly message: string;
}

const INTERNAL: Answer = { status: 500, message: 'Internal error' };

const BY_CODE: Readonly<Record<ErrorCode, Answer>> = {
  'invalid-request': { status: 400, message: 'Invalid request' },
  'devcontainer-id-missing': { status: 400, message: 'Missing devcontainer ID' },
  'devcontainer-not-found': { status: 404, message: 'Devcontainer not found.' },
  'container-not-found': { status: 404, message: 'Container not found' },
  'operation-not-found': { status: 404, message: 'Operation not found.' },
  'workspace-folder-label-missing': { status: 400, message: 'Missing workspace folder label' },
  'devcontainer-transitioning': { status: 409, message: 'Unable to change transitioning devcontainer' },
  'recreation-in-progress': { status: 409, message: 'Devcontainer recreation already in progress' },
  'devcontainer-busy': { status: 409, message: 'Devcontainer is busy' },
  'devcontainer-not-trusted': { status: 403, message: 'Devcontainer is not trusted' },
  'verdict-changed': { status: 409, message: 'The findings have changed' },
  'devcontainer-not-adopted': { status: 403, message: 'Devcontainer is not adopted' },
  'devcontainer-not-running': { status: 409, message: 'Devcontainer is not running' },
  'devcontainer-ambiguous': { status: 409, message: 'Several devcontainers match' },
  'process-not-found': { status: 404, message: 'Process not found' },
  'path-not-found': { status: 404, message: 'Path not found' },
  'command-refused': { status: 409, message: 'The container refused it' },
  'port-taken': { status: 409, message: 'Port is taken' },
  'forward-not-found': { status: 404, message: 'Port forward not found' },
  'folder-not-found': { status: 404, message: 'Workspace folder not found' },
  'config-not-found': { status: 404, message: 'Devcontainer configuration not found' },
  'config-ambiguous': { status: 409, message: 'Several devcontainer configurations found' },
  'config-invalid': { status: 400, message: 'Invalid devcontainer configuration' },
  'api-closed': { status: 503, message: 'API closed' },
  unauthorized: { status: 401, message: 'Unauthorized' },
  'list-failed': { status: 500, message: 'Could not get containers' },
  'up-failed': { status: 500, message: 'Could not bring up the devcontainer' },
  'stop-failed': { status: 500, message: 'An error occurred stopping the container' },
  'remove-failed': { status: 500, message: 'An error occurred removing the container' },
  'sub-agent-delete-failed': { status: 500, message: 'An error occurred deleting the agent' },
  'sub-agent-name-taken': { status: 409, message: 'Agent name is taken' },
  'sub-agent-delivery-failed': { status: 500, message: 'An error occurred delivering the agent' },
  'sub-agent-start-failed': { status: 500, message: 'An error occurred starting the agent' },
  'sub-agent-unsupported': { status: 409, message: 'Agent is not supported on this platform' },
  'control-plane-unreachable': { status: 502, message: 'Control plane is not reachable' },
  'control-plane-refused': { status: 502, message: 'Control plane refused the request' },
  'engine-unreachable': { status: 502, message: 'Container engine is not reachable' },
  'engine-api-version': { status: 502, message: 'Container engine is too old or too new' },
  'engine-request-failed': { status: 502, message: 'Container engine failed' },
  'engine-object-not-found': { status: 404, message: 'Container not found' },
  'engine-conflict': { status: 409, message: 'Container engine reports a conflict' },
  'cli-missing': { status: 500, message: 'Devcontainer CLI not found' },
  'cli-failed': { status: 500, message: 'Devcontainer CLI failed' },
  'cli-output-invalid': { status: 500, message: 'Devcontainer CLI gave no result' },
  'state-unreadable': { status: 500, message: 'State could not be read' },
  'state-locked': { status: 500, message: 'State is in use' },
  'daemon-unreachable': { status: 502, message: 'Daemon is not reachable' },
  'runtime-unavailable': { status: 409, message: 'The runtime of the container is not available' },
  'connection-refused': { status: 502, message: 'Nothing answers at that address' },
  'local-file-failed': { status: 500, message: 'Could not use a file of this machine' },
  'listen-failed': { status: 500, message: 'Could not listen on the port' },
  timeout: { status: 504, message: 'Timed out' },
  cancelled: { status: 409, message: 'Cancelled' },
  'broken-contract': INTERNAL,
};

/** Where a route words an error differently from the table above. */
export const ROUTE_MESSAGES = {
  devcontainers: { 'list-failed': 'Could not list containers' },
  recreate: { 'devcontainer-transitioning': 'Unable to recreate transitioning devcontainer' },
  start: { 'devcontainer-transitioning': 'Unable to start transitioning devcontainer' },
  stop: { 'devcontainer-transitioning': 'Unable to stop transitioning devcontainer' },
  restart: { 'devcontainer-transitioning': 'Unable to restart transitioning devcontainer' },
  delete: { 'devcontainer-transitioning': 'Unable to delete transitioning devcontainer' },
  create: { 'devcontainer-transitioning': 'Unable to create transitioning devcontainer' },
  revokeTrust: { 'verdict-changed': 'Another verdict is trusted' },
  hook: { 'devcontainer-transitioning': 'Unable to run a hook of a transitioning devcontainer' },
} as const satisfies Record<string, RouteMessages>;

export type RouteMessages = Readonly<Partial<Record<ErrorCode, string>>>;

/** Requests that are refused before the library is asked. */
const REFUSALS = {
  'malformed-url': { status: 400, message: 'Malformed URL' },
  'malformed-json': { status: 400, message: 'Malformed JSON' },
  'body-incomplete': { status: 400, message: 'Incomplete request body' },
  'not-authenticated': { status: 401, message: 'Missing or invalid token' },
  'login-code-invalid': { status: 401, message: 'Invalid or used login code' },
  'host-not-allowed': { status: 403, message: 'Host not allowed' },
  'origin-not-allowed': { status: 403, message: 'Origin not allowed' },
  'cross-site': { status: 403, message: 'Cross-site request refused' },
  'route-not-found': { status: 404, message: 'Route not found' },
  'method-not-allowed': { status: 405, message: 'Method not allowed' },
  'body-too-slow': { status: 408, message: 'Request body too slow' },
  'body-too-large': { status: 413, message: 'Request body too large' },
  'not-json': { status: 415, message: 'Content type must be application/json' },
  'not-octet-stream': { status: 415, message: 'Content type must be application/octet-stream' },
  'upgrade-failed': { status: 500, message: 'Failed to upgrade connection to websocket.' },
  'too-many-watchers': { status: 503, message: 'Too many watchers' },
  'too-many-streams': { status: 503, message: 'Too many open streams' },
} as const satisfies Record<string, Answer>;

export type RefusalReason = keyof typeof REFUSALS;

/** Thrown by whatever refuses a request on its outside, before it reaches the library. */
export class HttpRefusal extends AgentContainersError {
  readonly reason: RefusalReason;
  readonly headers: Readonly<Record<string, string>>;

  constructor(reason: RefusalReason, detail?: string, headers: Readonly<Record<string, string>> = {}) {
    super(REFUSALS[reason].status === 401 ? 'unauthorized' : 'invalid-request', REFUSALS[reason].message, {
      details: { detail },
    });
    this.reason = reason;
    this.headers = headers;
  }
}

export interface ErrorBody extends ErrorFields {
  readonly message: string;
  /** Code of the library's error; steadier than the wording. */
  readonly code?: ErrorCode | undefined;
  readonly detail?: string | undefined;
}

export interface ErrorAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: ErrorBody;
  /** True when the program is wrong: nothing of the error is shown, so it has to be logged. */
  readonly unexpected: boolean;
}

/** What the caller is told about `error`. */
export function toErrorAnswer(error: unknown, messages: RouteMessages = {}): ErrorAnswer {
  if (error instanceof HttpRefusal) {
    const { status, message } = REFUSALS[error.reason];
    return {
      status,
      headers: error.headers,
      body: { message, code: error.code, detail: error.details.detail },
      unexpected: false,
    };
  }
  if (!isAgentContainersError(error) || error.family === 'broken') {
    return { status: INTERNAL.status, headers: {}, body: { message: INTERNAL.message }, unexpected: true };
  }
  const { status } = BY_CODE[error.code];
  const message = messages[error.code] ?? BY_CODE[error.code].message;
  return {
    status,
    headers: {},
    body: {
      message,
      code: error.code,
      detail: detailOf(error, message),
      ...errorFields(error),
    },
    unexpected: false,
  };
}

/** Messages of our own errors are written for people. What a refused request or the answer's message says is not repeated. */
function detailOf(error: AgentContainersError, message: string): string | undefined {
  const { detail } = error.details;
  if (typeof detail !== 'string' && error.details['validations'] !== undefined) return undefined;
  const text = typeof detail === 'string' ? detail : errorMessage(error);
  return text === '' || withoutStop(text) === withoutStop(message) ? undefined : text;
}

function withoutStop(text: string): string {
  return text.trim().replace(/\.$/, '');
}
