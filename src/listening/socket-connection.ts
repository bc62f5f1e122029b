// INVARIANTS
// - Nothing of the socket is an unhandled error, whenever either side breaks it off.
// - `write` holds its caller up while the other side takes nothing.
import type { Socket } from 'node:net';
import type { LocalConnection } from '../agentcontainers/ports.ts';
import { createDeferred } from '../async/deferred.ts';

/** A socket that was ended tells of no `drain` any more. */
const MOVED = ['drain', 'finish', 'close'] as const;

/** @param socket paused, and half-open when one side has ended */
export function socketConnection(socket: Socket): LocalConnection {
  const closed = createDeferred<void>();
  let broken: Error | undefined;
  // Told by `incoming` and `write`; a connection that nobody reads may be broken off all the same.
  socket.on('error', (error) => (broken = error));
  socket.once('close', () => closed.resolve());
  const ending = (): Error => broken ?? new Error('The connection has ended.');

  return {
    // The socket outlives its reader: the other direction may go on.
    incoming: {
      [Symbol.asyncIterator]: () => socket.iterator({ destroyOnReturn: false }) as AsyncIterator<Uint8Array>,
    },
    write(bytes) {
      if (socket.destroyed || socket.writableEnded) return Promise.reject(ending());
      if (socket.write(bytes)) return Promise.resolve();
      return new Promise((resolve, reject) => {
        const settle = (): void => {
          for (const event of MOVED) socket.off(event, settle);
          if (socket.destroyed) reject(ending());
          else resolve();
        };
        for (const event of MOVED) socket.on(event, settle);
      });
    },
    end() {
      socket.end();
    },
    close() {
      socket.resetAndDestroy();
    },
    closed: closed.promise,
  };
}
