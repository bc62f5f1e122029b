import type { ClientHttp2Stream } from 'node:http2';
import type { z } from 'zod';
import { isAgentContainersError } from '../../errors.ts';
import { abandon } from './abandon.ts';
import { parseJson } from './parse-json.ts';
import { readBytes } from './read-bytes.ts';
import type { ResidentAnswer, ResidentConnection, ResidentRequest } from './resident-connection.ts';

export interface JsonRequest<T> extends Omit<ResidentRequest, 'first' | 'headers' | 'send'> {
  /** Sent as JSON. */
  readonly json?: unknown;
  /** Sent as it is. */
  readonly bytes?: Uint8Array | undefined;
  /** Writes the request's body and ends it. A rejection gives the request up, and is what it rejects with. */
  readonly send?: ((body: ClientHttp2Stream) => Promise<void>) | undefined;
  /** Bytes that `send` will write, when that is known. */
  readonly length?: number | undefined;
  /** Every answer is checked with it. */
  readonly schema: z.ZodType<T>;
  /** Bytes of the answer. Default 1 MiB. */
  readonly limit?: number | undefined;
  /** An answer beyond the limit can be honest, e.g. a long list, and ends only this request. */
  readonly mayBeLong?: boolean | undefined;
}

const LIMIT_BYTES = 1_048_576;

/** One request with an answer of JSON, or without content. What does not fit the schema ends the connection. */
export async function requestJson<T>(connection: ResidentConnection, request: JsonRequest<T>): Promise<T> {
  const { json, bytes, send, length, schema, limit = LIMIT_BYTES, mayBeLong, ...rest } = request;
  const first = json === undefined ? bytes : Buffer.from(JSON.stringify(json));
  let failure: { readonly error: unknown } | undefined;
  const answer = await connection
    .open({
      ...rest,
      first,
      headers: {
        ...(json !== undefined && { 'content-type': 'application/json' }),
        ...(length !== undefined && { 'content-length': String(length) }),
      },
      send:
        send &&
        ((body) => {
          send(body).catch((error: unknown) => {
            failure = { error };
            abandon(body);
          });
        }),
    })
    .catch((error: unknown) => {
      throw failure ? failure.error : error;
    });
  const text = await readAnswer(connection, answer, { ...rest, limit, mayBeLong });
  const said = text.length === 0 ? undefined : parseJson(text);
  if (text.length > 0 && said === undefined) throw connection.fail('an answer is no JSON');
  const parsed = schema.safeParse(said);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw connection.fail(`of an answer ${issue?.path.join('.') || 'the whole'} is wrong: ${issue?.message ?? ''}`);
}

async function readAnswer(
  connection: ResidentConnection,
  { body, isEmpty }: ResidentAnswer,
  request: Pick<JsonRequest<unknown>, 'doing' | 'timeoutMs' | 'mayBeLong'> & { readonly limit: number },
): Promise<Buffer> {
  if (isEmpty) {
    // It answered before it had taken all that was sent, and may never take it.
    if (!body.writableFinished) abandon(body);
    return Buffer.alloc(0);
  }
  const { doing, timeoutMs, limit, mayBeLong } = request;
  try {
    return await readBytes(body, { limit, doing, clock: connection.clock, timeoutMs });
  } catch (error) {
    const isTooLarge = isAgentContainersError(error) && error.details['isTooLarge'] === true;
    if (!isTooLarge || mayBeLong) throw error;
    throw connection.fail(`an answer is longer than ${limit} bytes`);
  }
}
