/**
 * The engine's framing of two output streams over one connection: eight bytes (stream, three zeros, length as a 32-bit
 * big-endian number), then that many bytes.
 */
export interface FrameParser {
  /**
   * Calls `onOutput` for the pieces in `chunk`, in order; a frame's content is passed on as it comes, never collected.
   *
   * @throws Error when the bytes are no frames.
   */
  push(chunk: Buffer): void;
}

export type OutputName = 'stdout' | 'stderr';

const HEADER_LENGTH = 8;

export function createFrameParser(onOutput: (name: OutputName, piece: Buffer) => void): FrameParser {
  const header = Buffer.alloc(HEADER_LENGTH);
  let headerFilled = 0;
  let name: OutputName = 'stdout';
  let remaining = 0;

  return {
    push(chunk) {
      let at = 0;
      while (at < chunk.length) {
        if (remaining > 0) {
          const piece = chunk.subarray(at, at + remaining);
          at += piece.length;
          remaining -= piece.length;
          onOutput(name, piece);
          continue;
        }
        const taken = chunk.copy(header, headerFilled, at, at + HEADER_LENGTH - headerFilled);
        at += taken;
        headerFilled += taken;
        if (headerFilled === HEADER_LENGTH) {
          if (!isFrameHeader(header)) throw new Error('the engine sent output without its framing');
          // 2 is standard error, 3 an error of the engine itself; 0 and 1 are standard output.
          name = header.readUInt8(0) >= 2 ? 'stderr' : 'stdout';
          remaining = header.readUInt32BE(4);
          headerFilled = 0;
        }
      }
    },
  };
}

/** True when `bytes` begin with a frame header. Raw terminal output practically never does. */
export function isFrameHeader(bytes: Buffer): boolean {
  return bytes.length >= HEADER_LENGTH && bytes.readUInt8(0) <= 3 && bytes[1] === 0 && bytes[2] === 0 && bytes[3] === 0;
}
