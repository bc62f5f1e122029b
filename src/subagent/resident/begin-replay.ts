import type { OutputChunk } from '../../agentcontainers/ports.ts';

/** A sequence of a terminal is far shorter. */
const LONGEST_SEQUENCE = 4_096;
const LINE_FEED = 0x0a;
const ESCAPE = 0x1b;

/** What of a terminal is left, when the oldest of it is gone. */
export interface Replay {
  /** Where it begins. */
  readonly offset: number;
  readonly output: AsyncIterable<OutputChunk>;
}

/**
 * Output of a terminal that begins anywhere, from where no sequence and no character is cut: from its first line feed or
 * escape on. Waits for the first chunk.
 */
export async function beginReplay(output: AsyncIterable<OutputChunk>, start: number): Promise<Replay> {
  const chunks = output[Symbol.asyncIterator]();
  const first = await chunks.next();
  if (first.done) return { offset: start, output: rest(chunks) };
  const { offset, bytes, stream } = first.value;
  const skipped = wholeFrom(bytes);
  const chunk = { stream, offset: offset + skipped, bytes: bytes.subarray(skipped) };
  return { offset: chunk.offset, output: rest(chunks, chunk) };
}

function wholeFrom(bytes: Uint8Array): number {
  const found = bytes.subarray(0, LONGEST_SEQUENCE).findIndex((byte) => byte === LINE_FEED || byte === ESCAPE);
  if (found >= 0) return found;
  // Plain text without an end of line: only a character can be cut.
  const character = bytes.subarray(0, 4).findIndex((byte) => (byte & 0xc0) !== 0x80);
  return Math.max(0, character);
}

async function* rest(chunks: AsyncIterator<OutputChunk>, first?: OutputChunk): AsyncGenerator<OutputChunk> {
  try {
    if (first && first.bytes.length > 0) yield first;
    for (let next = await chunks.next(); !next.done; next = await chunks.next()) yield next.value;
  } finally {
    await chunks.return?.();
  }
}
