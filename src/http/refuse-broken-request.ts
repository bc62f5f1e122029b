import type { ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Clock } from '../clock/clock.ts';
import { endThenDestroy } from './close-after-answer.ts';
import { isUploading } from './upload.ts';

const ANSWERS: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  HPE_CHUNK_EXTENSIONS_OVERFLOW: '413 Payload Too Large',
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
};

const refused = new WeakSet<Duplex>();

/**
 * What Node does by itself with a connection that says what is not HTTP or takes too long, but for one over which a file
 * comes in: that one has bounds of its own. And the answer reaches the client, whatever of the request was not read yet.
 *
 * @param answering what is being answered over the connection, if anything
 */
export function refuseBrokenRequest(
  error: Error,
  socket: Duplex,
  answering: ServerResponse | undefined,
  clock: Clock,
): void {
  const { code = '' } = error as { code?: string };
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT' && isUploading(socket)) return;
  const isHttp = code.startsWith('HPE_') || code === 'ERR_HTTP_REQUEST_TIMEOUT';
  const isAnswered = answering?.headersSent === true && !answering.writableFinished;
  // Told again of a connection that was refused, which has a moment left.
  if (isHttp && refused.has(socket)) return;
  if (!isHttp || !socket.writable || isAnswered) {
    socket.destroy(error);
    return;
  }
  refused.add(socket);
  socket.write(`HTTP/1.1 ${ANSWERS[code] ?? '400 Bad Request'}\r\nConnection: close\r\n\r\n`);
  // No parser any more: what still comes is thrown away.
  socket.removeAllListeners('data').on('data', () => {});
  endThenDestroy(socket, clock);
}
