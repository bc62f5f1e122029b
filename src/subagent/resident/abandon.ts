import type { ClientHttp2Stream } from 'node:http2';

/**
 * Closes a stream before its end. Not by `close`, which tells the other side first that all was sent: half a file would
 * count as whole.
 */
export function abandon(body: ClientHttp2Stream): void {
  body.destroy(new Error('The stream was given up.'));
}
