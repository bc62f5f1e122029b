const LINE_FEED = 0x0a;

export interface LineSplitter {
  push(chunk: Uint8Array): void;
  /** The output has ended: what is left is a line. */
  end(): void;
}

/**
 * Splits bytes into lines, whatever the chunks are. Of a line that is longer than `maxBytes` the beginning counts and
 * the rest is dropped, so an endless line costs nothing. `onLine` must copy what it keeps.
 */
export function createLineSplitter(maxBytes: number, onLine: (line: Uint8Array) => void): LineSplitter {
  let begun: Uint8Array[] = [];
  let length = 0;
  const add = (part: Uint8Array): void => {
    const room = maxBytes - length;
    if (room > 0 && part.length > 0) begun.push(Uint8Array.from(part.subarray(0, room)));
    length += part.length;
  };
  const finish = (): void => {
    const line = begun.length === 1 ? (begun[0] ?? new Uint8Array()) : Buffer.concat(begun);
    begun = [];
    length = 0;
    onLine(line);
  };
  return {
    push(chunk) {
      let from = 0;
      for (let at = chunk.indexOf(LINE_FEED); at !== -1; at = chunk.indexOf(LINE_FEED, from)) {
        // Most lines lie in one chunk: no copy.
        if (length === 0) onLine(chunk.subarray(from, Math.min(at, from + maxBytes)));
        else {
          add(chunk.subarray(from, at));
          finish();
        }
        from = at + 1;
      }
      if (from < chunk.length) add(chunk.subarray(from));
    },
    end() {
      if (length > 0) finish();
    },
  };
}
