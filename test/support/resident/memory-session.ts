import { Duplex, PassThrough } from 'node:stream';
import type { ExecExit, ExecSession } from '../../../src/agentcontainers/ports.ts';

/** Both ends of an exec session in memory, with the engine's bounds: what nobody reads holds the writer up. */
export interface MemorySession {
  readonly session: ExecSession;
  /** The process's side: reads its standard input, writes its standard output. Destroying it ends the session. */
  readonly inside: Duplex;
  readonly stderr: PassThrough;
  /** Bytes that the process has written and nobody has read. */
  unread(): number;
  readonly isClosed: boolean;
  /** Ends the session as the engine does when the process ends; `null`: the connection was lost. */
  end(exitCode: number | null): void;
  /** Cuts the session off after so many more bytes in either direction. */
  cutAfter(bytes: number): void;
}

const HELD_BYTES = 256 * 1024;

export function createMemorySession(): MemorySession {
  const stdin = new PassThrough({ highWaterMark: 64 * 1024 });
  const stdout = new PassThrough({ highWaterMark: HELD_BYTES });
  const stderr = new PassThrough();
  let settle: (exit: ExecExit) => void = () => {};
  const exited = new Promise<ExecExit>((resolve) => (settle = resolve));
  let closed = false;
  let left = Infinity;

  const inside = new Duplex({
    allowHalfOpen: true,
    read() {
      stdin.resume();
    },
    write(chunk: Buffer, _encoding, done) {
      const piece = take(chunk);
      if (closed) return done();
      if (stdout.write(piece)) done();
      else stdout.once('drain', done).once('close', done);
      if (piece.length < chunk.length) end(null);
    },
    final(done) {
      done();
      end(0);
    },
    destroy(_error, done) {
      done(null);
      end(0);
    },
  });
  inside.on('error', () => {});
  stdin.on('data', (chunk: Buffer) => {
    if (!inside.destroyed && !inside.push(chunk)) stdin.pause();
  });
  stdin.on('end', () => {
    if (!inside.destroyed) inside.push(null);
  });

  /** What may still pass. */
  function take(chunk: Buffer): Buffer {
    const piece = left < chunk.length ? chunk.subarray(0, left) : chunk;
    left -= piece.length;
    return piece;
  }
  function end(exitCode: number | null): void {
    if (closed) return;
    closed = true;
    stdout.end();
    stderr.end();
    stdin.destroy();
    settle({ exitCode, outputHeld: false });
    inside.destroy();
  }

  return {
    inside,
    stderr,
    end,
    unread: () => stdout.readableLength + stdout.writableLength,
    get isClosed() {
      return closed;
    },
    cutAfter(bytes) {
      left = bytes;
    },
    session: {
      id: 'memory',
      stdout,
      stderr,
      exited,
      write(bytes) {
        if (closed) return Promise.reject(new Error('the session has ended'));
        const chunk = Buffer.from(bytes as Uint8Array);
        const piece = take(chunk);
        return new Promise((resolve, reject) => {
          stdin.write(piece, (error) => (error ? reject(error) : resolve()));
          if (piece.length < chunk.length) {
            end(null);
            reject(new Error('the connection was lost'));
          }
        });
      },
      closeStdin: () => void stdin.end(),
      close: () => end(null),
    },
  };
}
