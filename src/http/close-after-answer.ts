import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Clock } from '../clock/clock.ts';
import { LIMITS } from './limits.ts';

/**
 * For an answer to a request whose rest is on its way, with the header `connection: close`. Node would destroy the
 * connection right after the answer.
 */
export function closeAfterAnswer({ socket }: IncomingMessage, clock: Clock): void {
  socket.destroySoon = () => endThenDestroy(socket, clock);
}

/**
 * Closes our side of a connection at once, the other one when the client has noticed or after a moment. Destroying it at
 * once, with bytes that were not read or that still arrive, makes the client's system throw the answer away. What
 * arrives has to be read by somebody.
 */
export function endThenDestroy(socket: Duplex, clock: Clock): void {
  socket.end();
  const timer = clock.afterFunc(LIMITS.closeGraceMs, () => void socket.destroy(), 'http: cut a request');
  socket.once('close', () => timer.stop());
}
