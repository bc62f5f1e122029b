// INVARIANTS
// - The newest bytes, at most `capacity` and one piece, are kept; each has its offset since the start.
// - What was told never changes, whatever comes later.
// - Of one who waits no longer nothing is left, here or on the signal.
import { createDeferred } from '../../async/deferred.ts';
import type { OutputChunk } from '../ports.ts';

/** What one command has written, for any number of readers. */
export interface OutputLog {
  readonly start: number;
  readonly end: number;
  /** What is kept, as it counts for the capacity. */
  readonly held: number;
  /** Lets go of the oldest until no more than this is held. */
  shrink(held: number): void;
  /** @returns the chunk with its offset */
  append(stream: OutputChunk['stream'], bytes: Uint8Array): OutputChunk;
  /** Nothing more comes. */
  close(): void;
  /** What is kept from `offset` on, not in the pieces in which it came. */
  from(offset: number): OutputChunk[];
  readonly isClosed: boolean;
  readonly closed: Promise<void>;
  /** Resolves at the next chunk or the end; rejects with the signal's reason. */
  changed(signal?: AbortSignal): Promise<void>;
}

/** Neighbours of one stream are joined up to this: what holding a piece takes beside its bytes is many times a short one. */
const JOINED_BYTES = 4_096;
/** What a piece counts at least, so that streams which take turns do not fill the memory either. */
const PIECE_BYTES = 64;

interface Piece {
  readonly stream: OutputChunk['stream'];
  readonly offset: number;
  length: number;
  /** Longer than `length` where more fits in. */
  buffer: Uint8Array;
}

const costOf = ({ length }: Piece): number => Math.max(length, PIECE_BYTES);

export function createOutputLog(capacity: number): OutputLog {
  // By their numbers from `first` to `next`, so that the oldest goes without moving the others.
  const pieces = new Map<number, Piece>();
  let first = 0;
  let next = 0;
  let cost = 0;
  let end = 0;
  const closed = createDeferred<void>();
  const waiting = new Set<() => void>();

  function wake(): void {
    const readers = [...waiting];
    waiting.clear();
    for (const reader of readers) reader();
  }
  function keep(stream: OutputChunk['stream'], bytes: Uint8Array): void {
    const last = pieces.get(next - 1);
    if (last?.stream === stream && last.length + bytes.length <= JOINED_BYTES) {
      cost -= costOf(last);
      join(last, bytes);
      cost += costOf(last);
      return;
    }
    const piece = { stream, offset: end, length: bytes.length, buffer: bytes };
    pieces.set(next++, piece);
    cost += costOf(piece);
  }
  function dropWhile(isOver: (oldest: Piece) => boolean): void {
    for (let oldest = pieces.get(first); oldest && isOver(oldest); oldest = pieces.get(first)) {
      cost -= costOf(oldest);
      pieces.delete(first++);
    }
  }
  /** The number of the first piece that ends after `offset`. */
  function find(offset: number): number {
    let low = first;
    let high = next;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      const piece = pieces.get(middle);
      if (piece && piece.offset + piece.length <= offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  return {
    get start() {
      return pieces.get(first)?.offset ?? end;
    },
    get end() {
      return end;
    },
    get held() {
      return cost;
    },
    shrink: (held) => dropWhile(() => cost > held),
    get isClosed() {
      return closed.settled;
    },
    closed: closed.promise,
    append(stream, bytes) {
      const chunk = { stream, offset: end, bytes };
      if (bytes.length > 0) keep(stream, bytes);
      end += bytes.length;
      dropWhile((oldest) => cost - costOf(oldest) >= capacity);
      wake();
      return chunk;
    },
    close() {
      closed.resolve();
      wake();
    },
    from(offset) {
      const found: OutputChunk[] = [];
      for (let number = find(offset); number < next; number++) {
        const piece = pieces.get(number);
        if (piece) found.push(chunkOf(piece, offset));
      }
      return found;
    },
    changed(signal) {
      if (signal?.aborted) return Promise.reject(signal.reason as Error);
      if (closed.settled) return Promise.resolve();
      return new Promise((resolve, reject) => {
        const onChange = (): void => {
          signal?.removeEventListener('abort', onAbort);
          resolve();
        };
        const onAbort = (): void => {
          waiting.delete(onChange);
          reject(signal?.reason as Error);
        };
        waiting.add(onChange);
        signal?.addEventListener('abort', onAbort, { once: true });
      });
    },
  };
}

/** Writes behind what is there, in a buffer of its own: the first one is somebody else's, and full. */
function join(piece: Piece, bytes: Uint8Array): void {
  const length = piece.length + bytes.length;
  if (length > piece.buffer.length) {
    const larger = new Uint8Array(Math.min(JOINED_BYTES, length * 2));
    larger.set(piece.buffer);
    piece.buffer = larger;
  }
  piece.buffer.set(bytes, piece.length);
  piece.length = length;
}

function chunkOf({ stream, offset, length, buffer }: Piece, from: number): OutputChunk {
  const skipped = Math.max(0, from - offset);
  return { stream, offset: offset + skipped, bytes: buffer.subarray(skipped, length) };
}
