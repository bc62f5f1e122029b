import { engineFailure, engineStatusError, failed } from './engine-error.ts';
import type { EngineReply, EngineRequest, EngineTransport } from './engine-transport.ts';

/** An answer larger than this is not one that an engine gives. */
const MAX_ANSWER_BYTES = 64 * 1024 * 1024;
const MAX_ERROR_BYTES = 64 * 1024;

/** Sends, expects 2xx or one of `alsoGood`, and throws the mapped error for any other status. The caller owns the body. */
export async function sendExpecting(
  transport: EngineTransport,
  request: EngineRequest,
  alsoGood: readonly number[] = [],
): Promise<EngineReply> {
  const reply = await transport.send(request);
  const { status } = reply;
  if ((status >= 200 && status < 300) || alsoGood.includes(status)) return reply;
  throw engineStatusError(request.doing, status, await readText(reply, request, MAX_ERROR_BYTES, 'cut'));
}

/** For requests whose answer has no content that matters. Returns the status. */
export async function sendForStatus(
  transport: EngineTransport,
  request: EngineRequest,
  alsoGood: readonly number[] = [],
): Promise<number> {
  const reply = await sendExpecting(transport, request, alsoGood);
  await readText(reply, request, MAX_ERROR_BYTES, 'cut');
  return reply.status;
}

export async function sendForJson(transport: EngineTransport, request: EngineRequest): Promise<unknown> {
  const text = await readText(await sendExpecting(transport, request), request, MAX_ANSWER_BYTES, 'fail');
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw failed('engine-request-failed', request.doing, "the engine's answer is not JSON", undefined, {}, error);
  }
}

/** The whole body as text. Beyond `limit` it is cut off, or the request fails. */
async function readText(
  { body }: EngineReply,
  { doing, signal }: EngineRequest,
  limit: number,
  beyond: 'cut' | 'fail',
): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of body as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      size += chunk.length;
      if (size > limit) break;
    }
  } catch (error) {
    throw engineFailure(doing, error, signal);
  } finally {
    body.destroy();
  }
  if (size > limit && beyond === 'fail') {
    throw failed('engine-request-failed', doing, `the engine's answer is larger than ${limit} bytes`);
  }
  return Buffer.concat(chunks).subarray(0, limit).toString('utf8');
}
