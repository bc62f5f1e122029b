import type { ClientHttp2Stream } from 'node:http2';
import { errorMessage } from '../../errors.ts';
import { createFrameParser } from './frames.ts';
import type { Frame } from './frames.ts';
import type { ResidentConnection } from './resident-connection.ts';

/**
 * Calls `onFrame` for each frame of a body, until its end; `onFrame` may pause the body. Resolves with true when the body
 * ended between two frames, false when it broke off; rejects when it broke the protocol, of which `onFrame` tells by
 * throwing.
 */
export function readFrames(
  connection: ResidentConnection,
  body: ClientHttp2Stream,
  onFrame: (frame: Frame) => void,
): Promise<boolean> {
  const parser = createFrameParser(onFrame);
  return new Promise((resolve, reject) => {
    let isComplete = false;
    body.on('data', (chunk: Buffer) => {
      try {
        parser.push(chunk);
      } catch (error) {
        body.removeAllListeners('data');
        reject(connection.fail(errorMessage(error)));
      }
    });
    body.once('end', () => {
      // A reset without an error says only that no more is taken from us.
      isComplete = parser.isBetween && (body.rstCode ?? 0) === 0;
      // Our side may still be open: nobody takes anything more there.
      if (!body.writableEnded) body.end();
      if (isComplete) resolve(true);
    });
    const onClose = (): void => resolve(isComplete);
    if (body.destroyed) onClose();
    else body.once('close', onClose);
  });
}
