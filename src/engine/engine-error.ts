import { AgentContainersError, errorMessage, isAgentContainersError } from '../errors.ts';
import type { ErrorCode } from '../errors.ts';
import { asRecord, asText } from './json-values.ts';

/** Codes of system errors that mean: there is no engine at the other end, or not any more. */
const UNREACHABLE = new Set([
  'ECONNREFUSED',
  'ENOENT',
  'EACCES',
  'EPERM',
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ENOTSOCK',
  'ENOTDIR',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ERR_STREAM_PREMATURE_CLOSE',
]);

export const UNREACHABLE_NEXT_STEP =
  'Check that the engine runs; `agentcontainers doctor` shows every place that was tried.';

const MAX_REASON_LENGTH = 500;

/** Podman answers with 500 to some conflicts, and when an object goes while it looks, and names them in `cause`. */
const GONE = /"cause":"no such (?:container|volume|image)"|"cause":"network not found"/;
const CONFLICTS =
  /"cause":"(?:container state improper|(?:network|volume|image) is being used|image is in use by a container)"/;

/** The error for an answer with a status that was not expected. `body` is the text of the answer. */
export function engineStatusError(doing: string, status: number, body: string): AgentContainersError {
  const reason = reasonOf(body) || `the engine answered with status ${status}`;
  if (status === 400 && /client version [\d.]+ is too (?:old|new)/i.test(reason)) {
    return failed('engine-api-version', doing, reason, 'Update this program or the engine.', { status });
  }
  return failed(codeOf(status, body), doing, reason, undefined, { status });
}

/**
 * The error for a request that got no whole answer. A reason of ours in `signal` wins over what its abort has broken;
 * errors that are ours already pass unchanged.
 */
export function engineFailure(doing: string, error: unknown, signal?: AbortSignal): AgentContainersError {
  if (signal?.aborted) return abortError(doing, signal.reason);
  if (isAgentContainersError(error)) return error;
  const code = errorCode(error);
  const reason = oneLine(errorMessage(error)) || code || 'no reason was given';
  return UNREACHABLE.has(code)
    ? failed(
        'engine-unreachable',
        doing,
        unreachableReason(code, reason),
        UNREACHABLE_NEXT_STEP,
        { errno: code },
        error,
      )
    : failed('engine-request-failed', doing, reason, undefined, {}, error);
}

/** `<doing> failed: <reason>.`, then the next step. */
export function failed(
  code: ErrorCode,
  doing: string,
  reason: string,
  nextStep?: string,
  details: Record<string, unknown> = {},
  cause?: unknown,
): AgentContainersError {
  const sentence = `${doing} failed: ${reason.replace(/[.\s]+$/, '')}.`;
  return new AgentContainersError(code, nextStep ? `${sentence} ${nextStep}` : sentence, { cause, details });
}

/** One bounded line without control characters, safe to print. */
export function oneLine(text: string): string {
  const line = text
    .slice(0, MAX_REASON_LENGTH * 4)
    // oxlint-disable-next-line no-control-regex -- control characters are what has to go
    .replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, ' ')
    .trim();
  return line.length > MAX_REASON_LENGTH ? `${line.slice(0, MAX_REASON_LENGTH)}…` : line;
}

function abortError(doing: string, reason: unknown): AgentContainersError {
  if (isAgentContainersError(reason)) return reason;
  if (reason instanceof Error && reason.name === 'TimeoutError') {
    return failed('timeout', doing, 'the engine did not answer in time', UNREACHABLE_NEXT_STEP, {}, reason);
  }
  return new AgentContainersError('cancelled', `${doing} was cancelled.`, { cause: reason });
}

function codeOf(status: number, body: string): ErrorCode {
  if (status === 404 || (status === 500 && GONE.test(body))) return 'engine-object-not-found';
  if (status === 409 || (status === 500 && CONFLICTS.test(body))) return 'engine-conflict';
  return 'engine-request-failed';
}

function reasonOf(body: string): string {
  try {
    const answer = asRecord(JSON.parse(body));
    return oneLine(asText(answer['message']) || asText(answer['cause']));
  } catch {
    return oneLine(body);
  }
}

function errorCode(error: unknown): string {
  for (let at: unknown = error, depth = 0; at instanceof Error && depth < 4; at = at.cause, depth++) {
    const code = (at as NodeJS.ErrnoException).code;
    if (typeof code === 'string') return code;
  }
  return '';
}

function unreachableReason(code: string, reason: string): string {
  switch (code) {
    case 'EACCES':
    case 'EPERM':
      return `no permission to use the container engine's socket (${reason})`;
    case 'ECONNRESET':
    case 'EPIPE':
    case 'ERR_STREAM_PREMATURE_CLOSE':
      return `the container engine closed the connection (${reason})`;
    default:
      return `the container engine cannot be reached (${reason})`;
  }
}
