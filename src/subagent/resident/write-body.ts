import type { ClientHttp2Stream } from 'node:http2';

const CHUNK_BYTES = 65_536;

/**
 * Writes all of it and ends the body. Rejects with the source's own error only: when nobody takes the bytes any more, the
 * answer says why.
 */
export async function writeBody(
  body: ClientHttp2Stream,
  content: Uint8Array | AsyncIterable<Uint8Array>,
): Promise<void> {
  const source = content instanceof Uint8Array ? [content] : content;
  for await (const piece of source) {
    for (let at = 0; at < piece.length; at += CHUNK_BYTES) {
      if (!(await writeTo(body, piece.subarray(at, at + CHUNK_BYTES)))) return;
    }
  }
  body.end();
}

/** False: nobody takes it any more. */
export function writeTo(body: ClientHttp2Stream, bytes: Uint8Array): Promise<boolean> {
  if (body.destroyed || body.closed || body.writableEnded) return Promise.resolve(false);
  return new Promise((resolve) => {
    const onClose = (): void => resolve(false);
    body.once('close', onClose);
    body.write(bytes, (error) => {
      body.removeListener('close', onClose);
      resolve(!error);
    });
  });
}
