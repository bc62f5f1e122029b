import { isUtf8 } from 'node:buffer';

const MAX_LINE_BYTES = 64 * 1024;
const NOTHING = new Uint8Array(0);

export interface EncodedOutput {
  readonly data: string;
  /** Set when the bytes are not UTF-8. */
  readonly encoding?: 'base64' | undefined;
}

/**
 * Turns the bytes of one output stream into JSON-safe pieces without losing any: text where they are UTF-8, base64
 * where they are not. A character that is split between two chunks is held back until its other part comes.
 */
export class OutputEncoder {
  #held: Uint8Array = NOTHING;

  push(chunk: Uint8Array): EncodedOutput[] {
    const pieces: EncodedOutput[] = [];
    for (let at = 0; at < chunk.length; at += MAX_LINE_BYTES) {
      const bytes = Buffer.concat([this.#held, chunk.subarray(at, at + MAX_LINE_BYTES)]);
      const end = bytes.length - incompleteTail(bytes);
      this.#held = bytes.subarray(end);
      if (end > 0) pieces.push(toTextOrBase64(bytes.subarray(0, end)));
    }
    return pieces;
  }

  /** What was held back, when no more comes. */
  end(): EncodedOutput[] {
    const rest = this.#held;
    this.#held = NOTHING;
    return rest.length > 0 ? [toTextOrBase64(Buffer.from(rest))] : [];
  }
}

/** Text where it is UTF-8, else base64. */
export function toTextOrBase64(bytes: Buffer): EncodedOutput {
  return isUtf8(bytes) ? { data: bytes.toString('utf8') } : { data: bytes.toString('base64'), encoding: 'base64' };
}

/** Length of a character at the end whose first byte announces more than there is: 0 to 3. */
export function incompleteTail(bytes: Uint8Array): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back] ?? 0;
    if ((byte & 0b1100_0000) === 0b1000_0000) continue;
    return announcedLength(byte) > back ? back : 0;
  }
  return 0;
}

function announcedLength(lead: number): number {
  if (lead >= 0xf0 && lead <= 0xf4) return 4;
  if (lead >= 0xe0 && lead < 0xf0) return 3;
  if (lead >= 0xc2 && lead < 0xe0) return 2;
  return 1;
}
