import type { IncomingMessage } from 'node:http';
import type { z } from 'zod';
import { AgentContainersError } from '../errors.ts';
import type { Validation } from './error-status.ts';
import { HttpRefusal } from './error-status.ts';
import { LIMITS } from './limits.ts';
import { wording } from './request-wording.ts';

const MAX_ID_CHARS = 256;

/** The parsed body against its schema. A missing body counts as an empty object. */
export function readBody<Schema extends z.ZodType>(schema: Schema, body: unknown): z.infer<Schema> {
  return check(schema, body ?? {}, 'body');
}

/** Reads the query itself: what an embedder's application makes of `req.query` depends on its settings. */
export function readQuery<Schema extends z.ZodType>(
  schema: Schema,
  url: string,
  repeatable: readonly string[] = [],
): z.infer<Schema> {
  const query = new Map<string, string | string[]>();
  for (const [name, value] of new URLSearchParams(searchOf(url))) {
    const earlier = query.get(name);
    if (repeatable.includes(name)) query.set(name, [earlier ?? [], value].flat());
    else if (earlier === undefined) query.set(name, value);
    else throw invalid([{ field: name, detail: 'Given more than once.' }]);
  }
  return check(schema, Object.fromEntries(query), 'query');
}

/** An id or name out of the path. */
export function readId(params: Readonly<Record<string, unknown>>, name: string): string {
  const value = params[name];
  const id = typeof value === 'string' ? value.trim() : '';
  if (id === '') throw missingId();
  // No id and no container name is that long, so nothing is called so.
  return id.slice(0, MAX_ID_CHARS);
}

/** A parameter of the path that is not an id, against its schema. */
export function readParameter<Schema extends z.ZodType>(
  schema: Schema,
  params: Readonly<Record<string, unknown>>,
  name: string,
): z.infer<Schema> {
  return check(schema, params[name], name);
}

export function missingId(): AgentContainersError {
  return new AgentContainersError('devcontainer-id-missing', 'Missing devcontainer ID', {
    details: { detail: 'The path has no id where one belongs.' },
  });
}

/** Path without query, percent-decoded nowhere. */
export function pathOf(url: string): string {
  const end = url.indexOf('?');
  return end < 0 ? url : url.slice(0, end);
}

export function searchOf(url: string): string {
  const start = url.indexOf('?');
  return start < 0 ? '' : url.slice(start + 1);
}

export function urlOf(req: IncomingMessage & { originalUrl?: string }): string {
  return req.originalUrl ?? req.url ?? '/';
}

function check<Schema extends z.ZodType>(schema: Schema, value: unknown, root: string): z.infer<Schema> {
  const result = schema.safeParse(value, { error: wording });
  if (result.success) return result.data;
  throw invalid(result.error.issues.flatMap((issue) => toValidations(issue, root)));
}

function toValidations(issue: z.core.$ZodIssue, root: string): Validation[] {
  const field = issue.path.map(String).join('.');
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({ field: field === '' ? key : `${field}.${key}`, detail: 'Unknown field.' }));
  }
  return [{ field: field === '' ? root : field, detail: issue.message }];
}

export function invalid(validations: readonly Validation[]): AgentContainersError {
  const shown = validations.slice(0, LIMITS.validations).map(({ field, detail }) => ({
    field: field.slice(0, 200),
    detail: detail.slice(0, 500),
  }));
  return new AgentContainersError('invalid-request', `Reading the request failed: ${shown[0]?.field} is not valid.`, {
    details: { validations: shown },
  });
}

/** What express throws for an address that it cannot decode, as a refusal; anything else as it is. */
export function asRefusal(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof AgentContainersError) return error;
  const { status } = error as { status?: unknown };
  return error instanceof URIError && status === 400 ? new HttpRefusal('malformed-url') : error;
}
