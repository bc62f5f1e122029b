import type { ClientRequest, IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { Transform } from 'node:stream';
import type { Duplex } from 'node:stream';

/** A body up to this size is sent in one piece with the headers. */
const SMALL_BODY = 1024 * 1024;

/**
 * Sends the body on. A small one in one write, since the engine answers and closes as soon as it has all of it, and
 * whatever is written after that, even nothing, would lose the answer.
 */
export function sendBody(request: IncomingMessage, upstream: ClientRequest): void {
  const length = request.headers['content-length'];
  const isChunked = request.headers['transfer-encoding'] !== undefined;
  if (isChunked || Number(length ?? 0) > SMALL_BODY) {
    request.pipe(upstream);
    return;
  }
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => upstream.end(Buffer.concat(chunks)));
}

/**
 * Sends a request as it came, then bytes in both directions, each of which can end on its own. Returns the connection to
 * the engine.
 */
export function forwardUpgrade(
  enginePath: string,
  request: IncomingMessage,
  client: Duplex,
  head: Buffer,
  answer: {
    /** Of the answer; after them both connections break. */
    readonly bytes: number;
    /** Called when the answer begins; it is handed on when `goOn` is called. */
    onAnswer(goOn: () => void): void;
  },
): Socket {
  const engine = connect({ path: enginePath, allowHalfOpen: true });
  const breakBoth = (): void => {
    client.destroy();
    engine.destroy();
  };
  for (const side of [client, engine]) side.on('error', breakBoth);
  client.once('close', () => engine.destroy());
  const lines = [`${request.method} ${request.url} HTTP/1.1`];
  for (let at = 0; at < request.rawHeaders.length; at += 2) {
    lines.push(`${request.rawHeaders[at]}: ${request.rawHeaders[at + 1]}`);
  }
  engine.write(`${lines.join('\r\n')}\r\n\r\n`);
  engine.write(head);
  client.pipe(engine);
  let isAnswered = false;
  // Who ends before there is an answer has left; without anything to write that would never be noticed.
  client.once('end', () => void (isAnswered || breakBoth()));
  engine.once('readable', () =>
    answer.onAnswer(() => {
      isAnswered = true;
      engine.pipe(limited(answer.bytes, breakBoth)).pipe(client);
    }),
  );
  return engine;
}

/** Hands on so many bytes, then calls `onCut` and nothing more. */
export function limited(bytes: number, onCut: () => void): Transform {
  let left = bytes;
  let isCut = false;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      const piece = chunk.subarray(0, Math.max(0, left));
      left -= chunk.length;
      if (piece.length > 0) this.push(piece);
      // What was handed on has to leave first.
      if (left <= 0 && !isCut) setImmediate(onCut);
      isCut = left <= 0;
      done();
    },
    // What is cut does not end.
    flush: (done) => void (isCut || done()),
  });
}
