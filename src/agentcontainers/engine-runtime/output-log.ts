// INVARIANTS
// - The newest bytes, at most `capacity` and one chunk, are kept; each has its offset since the start.
import type { OutputChunk } from '../ports.ts';

/** What one command has written, for any number of readers. */
export interface OutputLog {
  readonly start: number;
  readonly end: number;
  /** @returns the chunk with its offset */
  append(stream: OutputChunk['stream'], bytes: Uint8Array): OutputChunk;
  /** Nothing more comes. */
  close(): void;
  /** The chunks from `offset` on that are kept. */
  from(offset: number): OutputChunk[];
  readonly isClosed: boolean;
  /** Resolves at the next chunk or the end. */
  changed(): Promise<void>;
}

export function createOutputLog(capacity: number): OutputLog {
  let chunks: OutputChunk[] = [];
  let end = 0;
  let isClosed = false;
  let waiting: (() => void)[] = [];

  function wake(): void {
    const readers = waiting;
    waiting = [];
    for (const reader of readers) reader();
  }
  function trim(): void {
    let first = 0;
    for (const { offset, bytes } of chunks) {
      if (offset + bytes.length > end - capacity) break;
      first++;
    }
    if (first > 0) chunks = chunks.slice(first);
  }

  return {
    get start() {
      return chunks[0]?.offset ?? end;
    },
    get end() {
      return end;
    },
    get isClosed() {
      return isClosed;
    },
    append(stream, bytes) {
      const chunk = { stream, offset: end, bytes };
      end += bytes.length;
      chunks.push(chunk);
      trim();
      wake();
      return chunk;
    },
    close() {
      isClosed = true;
      wake();
    },
    from(offset) {
      return chunks.flatMap((chunk) => {
        const skipped = offset - chunk.offset;
        if (skipped >= chunk.bytes.length) return [];
        if (skipped <= 0) return [chunk];
        return [{ stream: chunk.stream, offset, bytes: chunk.bytes.subarray(skipped) }];
      });
    },
    changed: () => (isClosed ? Promise.resolve() : new Promise((resolve) => waiting.push(resolve))),
  };
}
