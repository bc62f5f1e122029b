import { linkedScope, raceAbort, sleep } from '../async/abort.ts';
import type { Clock } from '../clock/clock.ts';
import { errorMessage } from '../errors.ts';

/** What came of a request: an answer of any status, or the reason why there was none. */
export type HttpReply =
  | { readonly kind: 'answer'; readonly status: number; readonly body: string }
  | { readonly kind: 'oversized'; readonly status: number }
  | { readonly kind: 'none'; readonly reason: string };

export interface HttpRequest {
  readonly url: URL;
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | undefined;
}

export interface RetryPolicy {
  readonly clock: Clock;
  readonly fetch: typeof fetch;
  /** From 0 to below 1: spreads retries. */
  readonly random: () => number;
  /** For the whole call, retries included. */
  readonly timeoutMs: number;
  readonly maxBodyBytes: number;
}

const MAX_ATTEMPTS = 5;
const FIRST_DELAY_MS = 200;
const MAX_DELAY_MS = 5_000;

/**
 * Sends a request until it is answered with something that another try would not change. Answers of 500 and above,
 * and lost connections, are tried again with exponential back-off and full jitter; the request must therefore be safe
 * to repeat. Rejects only with the reason of `signal`.
 */
export async function requestWithRetry(
  request: HttpRequest,
  policy: RetryPolicy,
  signal: AbortSignal,
): Promise<HttpReply> {
  signal.throwIfAborted();
  const scope = linkedScope(signal);
  const expired = Symbol('expired');
  const timer = policy.clock.afterFunc(
    policy.timeoutMs,
    () => scope.abort(expired),
    `control plane: ${request.method}`,
  );
  let last: HttpReply = { kind: 'none', reason: 'no answer came' };
  try {
    for (let attempt = 0; ; attempt++) {
      last = await sendOnce(request, policy, scope.signal);
      const again = last.kind === 'none' || last.status >= 500;
      if (!again || attempt + 1 >= MAX_ATTEMPTS) return last;
      const limit = Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** attempt);
      await sleep(policy.clock, Math.ceil(policy.random() * limit), scope.signal, 'control plane: retry');
    }
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    if (scope.signal.aborted) {
      const seen = last.kind === 'none' ? last.reason : `its last answer was status ${last.status}`;
      return { kind: 'none', reason: `no good answer within ${policy.timeoutMs / 1_000} s (${seen})` };
    }
    throw error;
  } finally {
    timer.stop();
    scope.release();
  }
}

/** One attempt. Rejects only when `signal` aborts. */
async function sendOnce(request: HttpRequest, policy: RetryPolicy, signal: AbortSignal): Promise<HttpReply> {
  try {
    // Raced, so that a fetch which ignores its signal cannot hold us up.
    return await raceAbort(exchange(request, policy, signal), signal);
  } catch (error) {
    if (signal.aborted) throw error;
    return { kind: 'none', reason: connectionReason(error) };
  }
}

async function exchange(request: HttpRequest, policy: RetryPolicy, signal: AbortSignal): Promise<HttpReply> {
  const response = await policy.fetch(request.url, {
    method: request.method,
    headers: request.headers,
    body: request.body ?? null,
    // A redirect could carry our token to somebody else.
    redirect: 'manual',
    signal,
  });
  const body = await readBounded(response, policy.maxBodyBytes);
  if (body === undefined) return { kind: 'oversized', status: response.status };
  return { kind: 'answer', status: response.status, body };
}

/** The text of the body, or `undefined` when it is longer than allowed. */
async function readBounded(response: Response, maxBytes: number): Promise<string | undefined> {
  if (!response.body) return '';
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
    size += chunk.byteLength;
    // Leaving the loop cancels the rest of the body.
    if (size > maxBytes) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** `fetch failed` says nothing; its cause does. */
function connectionReason(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  if (cause instanceof Error) {
    const code = 'code' in cause && typeof cause.code === 'string' ? cause.code : undefined;
    return errorMessage(cause) || code || 'the connection was lost';
  }
  return errorMessage(error) || 'the connection was lost';
}
