import type { ClientHttp2Stream } from 'node:http2';
import { abandon } from './abandon.ts';
import { cutOff, unavailable } from './resident-errors.ts';

/** All of a body. Rejects when it is longer than `limit` (with `isTooLarge` in the details), and when it broke off. */
export function readBytes(body: ClientHttp2Stream, limit: number, doing: string): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    body.on('data', (chunk: Buffer) => {
      length += chunk.length;
      if (length <= limit) {
        chunks.push(chunk);
        return;
      }
      reject(unavailable(doing, `the answer is longer than ${limit} bytes`, { isTooLarge: true }));
      chunks.length = 0;
      abandon(body);
    });
    body.once('end', () => {
      if ((body.rstCode ?? 0) === 0) resolve(Buffer.concat(chunks));
      // It answered before it had taken all that was sent.
      if (!body.writableEnded) abandon(body);
    });
    const onClose = (): void => reject(cutOff(doing));
    if (body.destroyed) onClose();
    else body.once('close', onClose);
    body.resume();
  });
}
