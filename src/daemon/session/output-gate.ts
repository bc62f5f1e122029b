import type { Writable } from 'node:stream';
import type { OutputStream } from '../client/process-socket.ts';
import type { Stdio } from '../terminal/local-terminal.ts';

/** Standard output and standard error of a session, which may take things slowly. */
export interface OutputGate {
  /** False: hold back until all is taken. */
  write(stream: OutputStream, bytes: Uint8Array): boolean;
  isOpen(): boolean;
  close(): void;
}

/** @param onOpen called each time when everything is taken again */
export function createOutputGate({ stdout, stderr }: Stdio, onOpen: () => void): OutputGate {
  const waiting = new Set<Writable>();
  const streams: readonly Writable[] = [stdout, stderr];
  const open = (stream: Writable): void => {
    if (waiting.delete(stream) && waiting.size === 0) onOpen();
  };
  const listeners = streams.map((stream) => (): void => open(stream));
  for (const [index, stream] of streams.entries()) {
    // One that is broken takes nothing, and must not hold up the other.
    for (const event of ['drain', 'error', 'close']) stream.on(event, listeners[index] ?? (() => {}));
  }
  return {
    write(name, bytes) {
      const stream = name === 'stdout' ? stdout : stderr;
      if (bytes.length > 0 && stream.writable && !stream.write(bytes)) waiting.add(stream);
      return waiting.size === 0;
    },
    isOpen: () => waiting.size === 0,
    close() {
      for (const [index, stream] of streams.entries()) {
        for (const event of ['drain', 'error', 'close']) stream.removeListener(event, listeners[index] ?? (() => {}));
      }
    },
  };
}
