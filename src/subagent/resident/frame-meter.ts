/** Watches a connection of HTTP/2 from the side of the client, frame by frame. */
export interface FrameMeter {
  received(bytes: Uint8Array): void;
  sent(bytes: Uint8Array): void;
}

const HEADER_BYTES = 9;
/** What a client says before its first frame. */
const PREFACE_BYTES = 24;
const TYPE = { content: 0, headers: 1, ping: 6 } as const;
const ACKNOWLEDGEMENT = 1;
const PADDED = 8;

/** Frames without content that are free, whatever we do. */
const FREE_FRAMES = 10_000;
/** What one frame of ours may be answered with: headers, ends, windows. Far above what an agent does. */
const EARNED_PER_FRAME = 8;
/** An agent tells of its two windows once for 4 KiB that it has read. */
const BYTES_PER_WINDOW = 1_024;

/**
 * Calls `onFlood` when more frames have come that carry no content than all that we have asked for can explain. Each of them
 * is cheap, and none is refused by itself; without end they would take the time of everybody else. What has content is held
 * up by its window.
 */
export function createFrameMeter(onFlood: () => void): FrameMeter {
  let idle = 0;
  let allowed = FREE_FRAMES;
  const incoming = createWalker(0, (type, flags) => {
    // Padding is given its window back whoever reads, and no agent sends any.
    if (type !== TYPE.content || (flags & PADDED) !== 0) idle++;
  });
  const outgoing = createWalker(PREFACE_BYTES, (type, flags, length) => {
    // What we must answer earns nothing.
    const isQuestion = type === TYPE.ping && (flags & ACKNOWLEDGEMENT) === 0;
    if (isQuestion || type === TYPE.headers) allowed += EARNED_PER_FRAME;
    if (type === TYPE.content) allowed += EARNED_PER_FRAME + length / BYTES_PER_WINDOW;
  });
  return {
    received(bytes) {
      incoming(bytes);
      if (idle > allowed) onFlood();
    },
    sent: outgoing,
  };
}

/** Calls `onFrame` for the header of each frame, wherever the bytes are cut. */
function createWalker(
  skipped: number,
  onFrame: (type: number, flags: number, length: number) => void,
): (bytes: Uint8Array) => void {
  const header = Buffer.alloc(HEADER_BYTES);
  let filled = 0;
  let left = skipped;
  return (bytes) => {
    for (let at = 0; at < bytes.length;) {
      if (left > 0) {
        const passed = Math.min(left, bytes.length - at);
        left -= passed;
        at += passed;
        continue;
      }
      const part = bytes.subarray(at, at + HEADER_BYTES - filled);
      header.set(part, filled);
      filled += part.length;
      at += part.length;
      if (filled < HEADER_BYTES) return;
      filled = 0;
      left = header.readUIntBE(0, 3);
      onFrame(header.readUInt8(3), header.readUInt8(4), left);
    }
  };
}
