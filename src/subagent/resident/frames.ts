/** What a frame carries. */
export const FRAME = { json: 0, stdout: 1, stderr: 2 } as const;
export type FrameKind = (typeof FRAME)[keyof typeof FRAME];

/** A whole frame of JSON, or a piece of one of output. */
export interface Frame {
  readonly kind: FrameKind;
  readonly payload: Buffer;
}

/** The most that one frame carries, both ways. */
export const MAX_FRAME_BYTES = 65_536;
/** A list of processes in one JSON frame may be longer than output. */
export const MAX_JSON_FRAME_BYTES = 4 * 1_048_576;

const HEADER_BYTES = 5;

export interface FrameParser {
  /**
   * Calls `onFrame` for what is in `chunk`, in order: output as it comes, JSON once it is whole. A payload may share the
   * chunk's memory.
   *
   * @throws Error when the bytes are no frames; the parser must not be used after that.
   */
  push(chunk: Uint8Array): void;
  /** True when everything so far was whole frames. */
  readonly isBetween: boolean;
}

/** Holds at most one frame of JSON, and no more of it than has come. */
export function createFrameParser(onFrame: (frame: Frame) => void): FrameParser {
  const header = Buffer.alloc(HEADER_BYTES);
  let headerFilled = 0;
  let kind: FrameKind = FRAME.json;
  let length = 0;
  /** Of the frame that began, what has not come yet. */
  let missing = 0;
  // Of a frame of JSON that came in parts. It grows with what comes, however small the parts are.
  let held = Buffer.alloc(0);
  let heldFilled = 0;

  function takeHeader(): void {
    kind = header.readUInt8(0) as FrameKind;
    length = header.readUInt32BE(1);
    missing = length;
    if (kind > FRAME.stderr) throw new Error(`there is no kind of frame ${kind}`);
    const limit = kind === FRAME.json ? MAX_JSON_FRAME_BYTES : MAX_FRAME_BYTES;
    if (length > limit) throw new Error(`a frame of ${length} bytes is too large`);
  }

  function hold(part: Buffer): void {
    const needed = heldFilled + part.length;
    if (held.length < needed) {
      const larger = Buffer.allocUnsafe(Math.min(length, Math.max(needed, held.length * 2)));
      held.copy(larger, 0, 0, heldFilled);
      held = larger;
    }
    part.copy(held, heldFilled);
    heldFilled = needed;
  }

  function take(part: Buffer): void {
    missing -= part.length;
    if (missing === 0) headerFilled = 0;
    if (kind !== FRAME.json || part.length === length) return onFrame({ kind, payload: part });
    hold(part);
    if (missing > 0) return;
    const payload = held;
    held = Buffer.alloc(0);
    heldFilled = 0;
    onFrame({ kind, payload });
  }

  return {
    push(chunk) {
      const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
      let at = 0;
      while (at < bytes.length) {
        if (headerFilled < HEADER_BYTES) {
          const taken = bytes.copy(header, headerFilled, at, at + HEADER_BYTES - headerFilled);
          at += taken;
          headerFilled += taken;
          if (headerFilled < HEADER_BYTES) return;
          takeHeader();
          if (missing > 0) continue;
        }
        const part = bytes.subarray(at, at + missing);
        at += part.length;
        take(part);
      }
    },
    get isBetween() {
      return headerFilled === 0;
    },
  };
}

/** One frame; the payload fits by the caller's care. */
export function encodeFrame(kind: FrameKind, payload: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(HEADER_BYTES + payload.length);
  frame.writeUInt8(kind, 0);
  frame.writeUInt32BE(payload.length, 1);
  frame.set(payload, HEADER_BYTES);
  return frame;
}

export function encodeJsonFrame(value: unknown): Buffer {
  return encodeFrame(FRAME.json, Buffer.from(JSON.stringify(value)));
}

/** Bytes of any length as frames of one kind; none for no bytes, since an empty one means the end. */
export function* encodeFrames(kind: FrameKind, bytes: Uint8Array): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += MAX_FRAME_BYTES) {
    yield encodeFrame(kind, bytes.subarray(at, at + MAX_FRAME_BYTES));
  }
}
