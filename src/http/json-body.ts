import type { IncomingMessage } from 'node:http';
import type { NextFunction, Request, Response } from 'express';
import type { Clock } from '../clock/clock.ts';
import { closeAfterAnswer } from './close-after-answer.ts';
import { isPlain, mediaType } from './content-type.ts';
import { HttpRefusal } from './error-status.ts';
import { LIMITS } from './limits.ts';

/**
 * Parses a JSON body; refuses any other kind before a byte of it is read, and one that is too large as soon as that is
 * known. Never inflates: a small body cannot become a large one.
 */
export function jsonBody(clock: Clock): (req: Request, res: Response, next: NextFunction) => void {
  return (req, _res, next) => {
    // An embedder may have read it already.
    if (req.readableEnded || !hasBody(req)) return next();
    // Exactly this type: what a page can send to a foreign origin without being asked first is none of it.
    if (mediaType(req) !== 'application/json') throw new HttpRefusal('not-json');
    if (!isPlain(req)) throw new HttpRefusal('not-json', 'The body must be plain UTF-8, not compressed.');
    if (Number(req.headers['content-length'] ?? 0) > LIMITS.bodyBytes) throw tooLarge(req, clock);
    readAll(req, clock)
      .then((bytes) => {
        req.body = parse(bytes);
        next();
      }, next)
      .catch(next);
  };
}

function hasBody(req: IncomingMessage): boolean {
  if (req.headers['transfer-encoding'] !== undefined) return true;
  const length = req.headers['content-length'];
  return length !== undefined && length !== '0';
}

/** Rejects at the first byte too many, and when the client leaves half way. */
function readAll(req: IncomingMessage, clock: Clock): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const settle = (error?: HttpRefusal): void => {
      req.off('data', onData).off('end', onEnd).off('close', onClose).off('error', onClose);
      req.on('error', () => {});
      // What still comes is thrown away.
      req.resume();
      if (error) reject(error);
      else resolve(Buffer.concat(chunks));
    };
    const onData = (chunk: Buffer): void => {
      size += chunk.length;
      if (size > LIMITS.bodyBytes) settle(tooLarge(req, clock));
      else chunks.push(chunk);
    };
    const onEnd = (): void => settle();
    const onClose = (): void => settle(new HttpRefusal('body-incomplete'));
    req.on('data', onData).on('end', onEnd).on('close', onClose).on('error', onClose);
  });
}

function parse(bytes: Buffer): unknown {
  if (bytes.length === 0) return undefined;
  try {
    const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
    if (typeof value === 'object' && value !== null) return value;
  } catch (error) {
    const reason = error instanceof SyntaxError ? error.message : 'The body is not UTF-8.';
    throw new HttpRefusal('malformed-json', reason.slice(0, 200));
  }
  throw new HttpRefusal('malformed-json', 'The body must be a JSON object.');
}

function tooLarge(req: IncomingMessage, clock: Clock): HttpRefusal {
  closeAfterAnswer(req, clock);
  return new HttpRefusal('body-too-large', `At most ${LIMITS.bodyBytes} bytes.`, { connection: 'close' });
}
