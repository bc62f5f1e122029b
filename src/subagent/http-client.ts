import { randomUUID } from 'node:crypto';
import type { z } from 'zod';
import type { SubAgentClient } from '../agentcontainers/ports.ts';
import type { Clock } from '../clock/clock.ts';
import { AgentContainersError } from '../errors.ts';
import { createdSchema, fromSpec, listSchema, toRecord } from './control-plane-wire.ts';
import { requestWithRetry } from './http-request.ts';
import type { HttpReply, HttpRequest } from './http-request.ts';
import { plainLine } from '../text/plain-text.ts';

export interface HttpSubAgentClientOptions {
  /** Where the control plane is, `https://host/path`; the routes are below it. */
  readonly url: string;
  /** Sent as `Authorization: Bearer …`, and never shown. */
  readonly token?: string | undefined;
  readonly clock: Clock;
  /** For one call with its retries, in ms. Default 10,000. */
  readonly timeoutMs?: number | undefined;
  readonly fetch?: typeof fetch | undefined;
  /** From 0 to below 1. */
  readonly random?: (() => number) | undefined;
  /** Makes idempotency keys. */
  readonly newKey?: (() => string) | undefined;
}

const MAX_BODY_BYTES = 4 * 1_048_576;
const MAX_REASON_CHARACTERS = 300;

/**
 * A control plane behind HTTP; the contract is docs/design/control-plane.md. Throws `invalid-request` at once when the
 * URL or the token cannot be used. Calls reject with `control-plane-unreachable` (no answer, or 5xx to the end),
 * `control-plane-refused` (4xx, or an answer that breaks the contract) and `sub-agent-name-taken`.
 */
export function createHttpSubAgentClient(options: HttpSubAgentClientOptions): SubAgentClient {
  const base = parseBase(options.url);
  if (options.token !== undefined && !/^[\x21-\x7e]+$/.test(options.token)) {
    throw new AgentContainersError(
      'invalid-request',
      'Setting up the control plane client failed: the token has characters that no header can carry. Check its file for line breaks.',
    );
  }
  const policy = {
    clock: options.clock,
    fetch: options.fetch ?? fetch,
    random: options.random ?? Math.random,
    timeoutMs: options.timeoutMs ?? 10_000,
    maxBodyBytes: MAX_BODY_BYTES,
  };
  const newKey = options.newKey ?? randomUUID;

  async function call(
    what: string,
    method: HttpRequest['method'],
    path: string,
    signal: AbortSignal,
    sent: { readonly body?: object; readonly idempotencyKey?: string; readonly passed?: readonly number[] },
  ): Promise<Answer> {
    const headers: Record<string, string> = { accept: 'application/json' };
    if (options.token !== undefined) headers['authorization'] = `Bearer ${options.token}`;
    if (sent.body) headers['content-type'] = 'application/json';
    if (sent.idempotencyKey !== undefined) headers['idempotency-key'] = sent.idempotencyKey;
    const body = sent.body && JSON.stringify(sent.body);
    const reply = await requestWithRetry({ url: new URL(path, base), method, headers, body }, policy, signal);
    return accept(what, base, reply, { passed: sent.passed ?? [], token: options.token });
  }

  return {
    async list(signal) {
      const what = 'Listing the sub-agents';
      const answer = await call(what, 'GET', 'sub-agents', signal, {});
      return parse(what, base, answer, listSchema).sub_agents.map(toRecord);
    },

    async create(spec, signal) {
      const what = `Registering the sub-agent ${JSON.stringify(spec.name)}`;
      const body = fromSpec(spec);
      const passed = [409];
      const answer =
        spec.id === undefined
          ? // One key for all tries of this call: a try whose answer was lost does not register a second one.
            await call(what, 'POST', 'sub-agents', signal, { body, passed, idempotencyKey: newKey() })
          : await call(what, 'PUT', `sub-agents/${encodeURIComponent(spec.id)}`, signal, { body, passed });
      if (answer.status === 409) {
        throw new AgentContainersError(
          'sub-agent-name-taken',
          `${what} failed: the name is taken at ${base.origin}. Choose another name.`,
          { details: { name: spec.name } },
        );
      }
      const created = parse(what, base, answer, createdSchema);
      if (spec.id !== undefined && created.sub_agent.id.toLowerCase() !== spec.id.toLowerCase()) {
        throw brokenAnswer(what, base, 'the record has another id than the one that was asked for');
      }
      return { record: toRecord(created.sub_agent), token: created.token };
    },

    async delete(id, signal) {
      await call(`Deleting the sub-agent ${id}`, 'DELETE', `sub-agents/${encodeURIComponent(id)}`, signal, {
        passed: [404],
      });
    },
  };
}

interface Answer {
  readonly status: number;
  readonly body: string;
}

/** Passes on 2xx and the statuses in `passed`. */
function accept(
  what: string,
  base: URL,
  reply: HttpReply,
  options: { readonly passed: readonly number[]; readonly token: string | undefined },
): Answer {
  switch (reply.kind) {
    case 'none':
      throw unreachable(what, base, reply.reason);
    case 'oversized':
      throw brokenAnswer(what, base, `the answer is larger than ${MAX_BODY_BYTES / 1_048_576} MiB`);
    case 'answer': {
      const { status } = reply;
      if ((status >= 200 && status < 300) || options.passed.includes(status)) return reply;
      if (status >= 500) throw unreachable(what, base, `it answers with status ${status}`);
      throw refused(what, base, `status ${status}${serverMessage(reply.body, options.token)}`);
    }
  }
}

function parse<T>(what: string, base: URL, answer: Answer, schema: z.ZodType<T>): T {
  let value: unknown;
  try {
    value = JSON.parse(answer.body);
  } catch {
    throw brokenAnswer(what, base, 'the answer is not JSON');
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  // The path only: a value could be a token.
  const field = parsed.error.issues[0]?.path.join('.') ?? '';
  throw brokenAnswer(what, base, `the answer is not what the contract says${field === '' ? '' : ` at ${field}`}`);
}

/** `: <message>` from an error body, one bounded line, without our token should it be echoed. */
function serverMessage(body: string, token: string | undefined): string {
  let message: unknown;
  try {
    message = (JSON.parse(body) as { message?: unknown } | null)?.message;
  } catch {
    return '';
  }
  if (typeof message !== 'string') return '';
  const line = plainLine(token === undefined ? message : message.replaceAll(token, '[redacted]'));
  return line === '' ? '' : `: ${line.slice(0, MAX_REASON_CHARACTERS)}`;
}

function parseBase(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !['http:', 'https:'].includes(url.protocol) || url.username !== '' || url.password !== '') {
    throw new AgentContainersError(
      'invalid-request',
      'Setting up the control plane client failed: its address is not a plain http or https URL. Give it as https://host/path, and the token on its own.',
    );
  }
  url.search = '';
  url.hash = '';
  if (!url.pathname.endsWith('/')) url.pathname += '/';
  return url;
}

function unreachable(what: string, base: URL, reason: string): AgentContainersError {
  return new AgentContainersError(
    'control-plane-unreachable',
    `${what} failed: the control plane ${base.origin} cannot be reached: ${reason}. Check its address and whether it runs.`,
  );
}

function refused(what: string, base: URL, reason: string): AgentContainersError {
  return new AgentContainersError(
    'control-plane-refused',
    `${what} failed: the control plane ${base.origin} refused it with ${reason}. Check the token and the request.`,
  );
}

function brokenAnswer(what: string, base: URL, reason: string): AgentContainersError {
  return new AgentContainersError(
    'control-plane-refused',
    `${what} failed: ${reason}. Check that ${base.origin} is a control plane of this version.`,
  );
}
