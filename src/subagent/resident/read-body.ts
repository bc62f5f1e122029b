import type { ClientHttp2Stream } from 'node:http2';
import { abandon } from './abandon.ts';
import { cutOff } from './resident-errors.ts';

/** The bytes of a body as they are read. Throws when it broke off, or ended before it had as many bytes as were said. */
export async function* readBody(
  body: ClientHttp2Stream,
  options: { readonly doing: string; readonly atLeast: number; readonly signal: AbortSignal | undefined },
): AsyncGenerator<Uint8Array> {
  const { doing, atLeast, signal } = options;
  let length = 0;
  let isEnded = false;
  try {
    for await (const chunk of body as AsyncIterable<Buffer>) {
      length += chunk.length;
      yield chunk;
    }
    isEnded = (body.rstCode ?? 0) === 0;
  } catch {
    signal?.throwIfAborted();
    throw cutOff(doing);
  } finally {
    abandon(body);
  }
  signal?.throwIfAborted();
  if (!isEnded || length < atLeast) throw cutOff(doing);
}
