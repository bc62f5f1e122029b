import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { NextFunction, Request, Response } from 'express';
import type { Clock } from '../clock/clock.ts';
import { AgentContainersError } from '../errors.ts';
import { closeAfterAnswer } from './close-after-answer.ts';
import { isPlain, mediaType } from './content-type.ts';
import { HttpRefusal } from './error-status.ts';
import { LIMITS } from './limits.ts';

/** Connections over which a file comes in now: those may take longer than other requests. */
const uploading = new WeakSet<Duplex>();

export function isUploading(socket: Duplex): boolean {
  return uploading.has(socket);
}

/**
 * Refuses a body that is no file, before a byte of it is read. A page of another origin has to ask before it may send
 * this type with PUT, and is told no.
 */
export function checkUpload(req: Request, _res: Response, next: NextFunction): void {
  if (mediaType(req) !== 'application/octet-stream') throw new HttpRefusal('not-octet-stream');
  if (!isPlain(req)) throw new HttpRefusal('not-octet-stream', 'The body must not be compressed.');
  next();
}

/**
 * Runs `work` on the body as it comes in, of any size; the client waits when nobody takes it. The body throws when the
 * client leaves half way, and when it sends nothing for too long.
 */
export async function receiveUpload<T>(
  req: IncomingMessage & { readonly body?: unknown },
  clock: Clock,
  work: (content: Uint8Array | AsyncIterable<Uint8Array>) => Promise<T>,
): Promise<T> {
  // An embedder may have read it already.
  if (req.body instanceof Uint8Array) return work(req.body);
  if (req.readableDidRead) {
    throw new AgentContainersError('broken-contract', 'Reading the file failed: somebody has read the request.');
  }
  const { socket } = req;
  uploading.add(socket);
  try {
    return await work(readBody(req, clock));
  } finally {
    uploading.delete(socket);
  }
}

/** Before an error is answered to an upload whose rest is on its way. */
export function cutUpload(req: IncomingMessage, res: ServerResponse, clock: Clock): void {
  if (!res.headersSent) res.setHeader('connection', 'close');
  closeAfterAnswer(req, clock);
  // What still comes is thrown away, also once its reader has stopped.
  req.on('error', () => {}).on('data', () => {});
}

async function* readBody(req: IncomingMessage, clock: Clock): AsyncGenerator<Uint8Array> {
  // Whoever stops half way answers over the same connection.
  const chunks = req.iterator({ destroyOnReturn: false }) as AsyncIterator<Uint8Array, undefined>;
  try {
    for (;;) {
      const { done, value } = await inTime(chunks.next(), clock);
      if (done === true) break;
      yield value;
    }
    if (!req.complete) throw new HttpRefusal('body-incomplete');
  } catch (error) {
    throw error instanceof AgentContainersError ? error : new HttpRefusal('body-incomplete');
  } finally {
    chunks.return?.().catch(() => {});
  }
}

function inTime<T>(next: Promise<T>, clock: Clock): Promise<T> {
  return new Promise((resolve, reject) => {
    const late = (): void => reject(new HttpRefusal('body-too-slow'));
    const timer = clock.afterFunc(LIMITS.uploadIdleMs, late, 'http: a piece of a file');
    next.then(resolve, reject).finally(() => timer.stop());
  });
}
