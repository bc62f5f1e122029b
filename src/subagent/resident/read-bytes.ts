import type { ClientHttp2Stream } from 'node:http2';
import type { Clock } from '../../clock/clock.ts';
import { abandon } from './abandon.ts';
import { cutOff, late, unavailable } from './resident-errors.ts';

/** From the beginning of an answer to its end, at least: it comes at once, but it may be long, and the way to us slow. */
const ANSWER_MS = 30_000;

/**
 * All of a body. Rejects when it is longer than `limit` (with `isTooLarge` in the details), when it broke off, and when it
 * has no end in time.
 */
export function readBytes(
  body: ClientHttp2Stream,
  options: {
    readonly limit: number;
    readonly doing: string;
    readonly clock: Clock;
    /** What its request has for the answer to begin. */
    readonly timeoutMs: number | undefined;
  },
): Promise<Buffer> {
  const { limit, doing, clock, timeoutMs = 0 } = options;
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    const giveUp = (error: Error): void => {
      reject(error);
      chunks.length = 0;
      abandon(body);
    };
    const timer = clock.afterFunc(Math.max(timeoutMs, ANSWER_MS), () => giveUp(late(doing)), 'resident: body');
    body.on('data', (chunk: Buffer) => {
      length += chunk.length;
      if (length <= limit) chunks.push(chunk);
      else giveUp(unavailable(doing, `the answer is longer than ${limit} bytes`, { isTooLarge: true }));
    });
    body.once('end', () => {
      timer.stop();
      if ((body.rstCode ?? 0) === 0) resolve(Buffer.concat(chunks));
      // It answered before it had taken all that was sent.
      if (!body.writableEnded) abandon(body);
    });
    const onClose = (): void => {
      timer.stop();
      reject(cutOff(doing));
    };
    if (body.destroyed) onClose();
    else body.once('close', onClose);
    body.resume();
  });
}
