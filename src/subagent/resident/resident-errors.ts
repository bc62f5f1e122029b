import { z } from 'zod';
import { AgentContainersError, isAgentContainersError } from '../../errors.ts';
import type { ErrorCode, ErrorDetails } from '../../errors.ts';
import { plainLine, shorten } from '../../text/plain-text.ts';

const MAX_REASON = 300;

/** What comes from a container as the end of a sentence that is safe to show. */
export function asReason(text: string): string {
  return shorten(plainLine(text), MAX_REASON).replace(/[.\s]+$/, '') || 'no reason was given';
}

/** What runs in the container cannot be reached, or not any more. */
export function unavailable(doing: string, reason: string, details: ErrorDetails = {}): AgentContainersError {
  return new AgentContainersError('runtime-unavailable', `${doing} failed: ${asReason(reason)}.`, { details });
}

/** The connection went while this was under way; what was asked for may have been done. */
export function cutOff(doing: string): AgentContainersError {
  return unavailable(doing, 'the connection to what runs in the container broke off', { isCut: true });
}

/** It may have been done. */
export function late(doing: string): AgentContainersError {
  return new AgentContainersError('timeout', `${doing} failed: the resident did not answer in time.`);
}

/** True when the same may succeed over a new connection. */
export function isCut(error: unknown): boolean {
  return isAgentContainersError(error, 'runtime-unavailable') && error.details['isCut'] === true;
}

/** It said what no resident says. Nothing of it is believed any more. */
export function brokenProtocol(reason: string): AgentContainersError {
  return unavailable('Speaking to the resident', `it broke the protocol: ${reason}`, { isViolation: true });
}

export function isViolation(error: unknown): error is AgentContainersError {
  return isAgentContainersError(error, 'runtime-unavailable') && error.details['isViolation'] === true;
}

export const refusalSchema = z.object({ code: z.string().max(100), message: z.string() });

/** What an answer that is no success means. `notFound`: what a 404 means for this request. */
export function refusalError(
  doing: string,
  status: number,
  refusal: z.infer<typeof refusalSchema>,
  notFound: ErrorCode,
): AgentContainersError {
  const message = `${doing} failed: ${asReason(refusal.message)}.`;
  return new AgentContainersError(codeOf(status, refusal.code, notFound), message, {
    details: { status, reason: asReason(refusal.code) },
  });
}

function codeOf(status: number, code: string, notFound: ErrorCode): ErrorCode {
  if (code === 'draining') return 'runtime-unavailable';
  if (code === 'unreachable') return 'connection-refused';
  if (status === 404) return notFound;
  // Arguments that are too long for the kernel are no mistake in the request that starts with them.
  if (status === 413) return notFound === 'command-refused' ? 'command-refused' : 'invalid-request';
  return status === 400 ? 'invalid-request' : 'command-refused';
}
