import type { IncomingMessage } from 'node:http';
import { WebSocketServer } from 'ws';
import type { Logger } from '../logger.ts';
import { HttpRefusal } from './error-status.ts';
import { refuseUpgrade } from './responses.ts';

/**
 * What makes WebSockets of connections; a handshake that is none is answered.
 *
 * @param frameBytes of one frame from the client, at most
 */
export function createSocketServer(frameBytes: number, logger: Logger): WebSocketServer {
  const server = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    // It would add to each keystroke's way.
    perMessageDeflate: false,
    maxPayload: frameBytes,
    // We do it ourselves where it matters, and say what is wrong.
    skipUTF8Validation: true,
  });
  server.on('wsClientError', (error, socket, req) => {
    refuseUpgrade(req, socket, new HttpRefusal('upgrade-failed', error.message), logger);
  });
  return server;
}

/** What the handshake would stumble over, before anything is started for it. */
export function assertHandshake({ method, headers }: IncomingMessage): void {
  if (method !== 'GET' || headers.upgrade?.toLowerCase() !== 'websocket') {
    throw new HttpRefusal('upgrade-failed', 'The connection can only become a WebSocket.');
  }
  const key = headers['sec-websocket-key'] ?? '';
  const version = headers['sec-websocket-version'] ?? '';
  if (!/^[+/0-9A-Za-z]{22}==$/.test(key) || !/^(?:13|8)$/.test(version)) {
    throw new HttpRefusal('upgrade-failed', 'The handshake lacks Sec-WebSocket-Key, or Sec-WebSocket-Version 13.');
  }
}
