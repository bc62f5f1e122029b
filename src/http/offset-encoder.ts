import type { OutputChunk } from '../agentcontainers/ports.ts';
import type { EncodedOutput } from './output-encoder.ts';
import { OutputEncoder } from './output-encoder.ts';

export interface OutputLine extends EncodedOutput {
  readonly type: 'stdout' | 'stderr';
  /** Of the first byte. */
  readonly offset: number;
}

/**
 * INVARIANTS
 * - Each line is a run of bytes as they stand in the output, and begins where the one before it ended unless bytes are
 *   gone: whoever has read a line can go on after it, and has lost nothing.
 */
export class OffsetEncoder {
  #stream: OutputChunk['stream'] | undefined;
  #encoder = new OutputEncoder();
  /** Of the next line. */
  #offset = 0;
  /** After all that has come. */
  #end = 0;

  push(chunk: OutputChunk): OutputLine[] {
    // A character is in one stream, and one that has a gap in it is none.
    const isFurther = chunk.stream === this.#stream && chunk.offset === this.#end;
    const before = isFurther ? [] : this.end();
    if (!isFurther) this.#offset = chunk.offset;
    this.#stream = chunk.stream;
    this.#end = chunk.offset + chunk.bytes.length;
    return [...before, ...this.#toLines(this.#encoder.push(chunk.bytes))];
  }

  /** What was held back, when no more comes. */
  end(): OutputLine[] {
    return this.#toLines(this.#encoder.end());
  }

  #toLines(pieces: readonly EncodedOutput[]): OutputLine[] {
    return pieces.map((piece) => {
      const line = { type: this.#stream ?? 'stdout', offset: this.#offset, ...piece };
      this.#offset += Buffer.byteLength(piece.data, piece.encoding ?? 'utf8');
      return line;
    });
  }
}
