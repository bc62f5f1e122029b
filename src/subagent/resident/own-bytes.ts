const SMALL_BYTES = 16_384;
/** A part that is smaller than this share of its memory is not worth keeping all of it. */
const SHARE = 4;

/**
 * Bytes that may be kept for long: a small part of a large piece is copied, since it would keep the whole piece in
 * memory. What is large is never copied.
 */
export function ownBytes(part: Buffer): Buffer {
  return part.length < SMALL_BYTES && part.length * SHARE < part.buffer.byteLength ? Buffer.from(part) : part;
}
