export interface LineSplitter {
  /** Takes the next piece of text, cut anywhere. */
  push(chunk: string): void;
  /** Gives out what is left without a line end. */
  end(): void;
}

/**
 * Cuts a stream of text into lines, whatever its chunking, in bounded memory.
 *
 * INVARIANTS
 * - The lines do not depend on where the chunks were cut.
 * - At most `maxLength` characters are held. The rest of a longer line is dropped and the line is marked `cut`.
 */
export function createLineSplitter(maxLength: number, onLine: (line: string, cut: boolean) => void): LineSplitter {
  let pieces: string[] = [];
  let length = 0;
  let cut = false;

  const keep = (piece: string): void => {
    const room = maxLength - length;
    if (piece.length > room) cut = true;
    const kept = piece.length > room ? piece.slice(0, room) : piece;
    if (kept === '') return;
    pieces.push(kept);
    length += kept.length;
  };
  const flush = (): void => {
    const text = pieces.join('');
    const wasCut = cut;
    pieces = [];
    length = 0;
    cut = false;
    onLine(text.endsWith('\r') ? text.slice(0, -1) : text, wasCut);
  };

  return {
    push(chunk) {
      let from = 0;
      for (let at = chunk.indexOf('\n'); at !== -1; at = chunk.indexOf('\n', from)) {
        keep(chunk.slice(from, at));
        flush();
        from = at + 1;
      }
      keep(chunk.slice(from));
    },
    end() {
      if (length > 0 || cut) flush();
    },
  };
}
