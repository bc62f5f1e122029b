const NEWLINE = 0x0a;

/**
 * Splits bytes into lines, whatever the chunks are. A line of more than `maxBytes` is left out and reported; a last line
 * without a newline is still a line. Empty lines are skipped.
 */
export async function* textLines(
  chunks: AsyncIterable<Uint8Array>,
  maxBytes: number,
  onTooLong: () => void,
): AsyncGenerator<string, void, undefined> {
  let parts: Uint8Array[] = [];
  let length = 0;
  const take = (): string | undefined => {
    const tooLong = length > maxBytes;
    const line = tooLong ? '' : Buffer.concat(parts).toString('utf8').trim();
    parts = [];
    length = 0;
    if (tooLong) onTooLong();
    return line || undefined;
  };
  const add = (part: Uint8Array): void => {
    length += part.length;
    if (length <= maxBytes) parts.push(part);
    else parts = [];
  };
  for await (const chunk of chunks) {
    let from = 0;
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, from)) {
      add(chunk.subarray(from, end));
      from = end + 1;
      const line = take();
      if (line !== undefined) yield line;
    }
    if (from < chunk.length) add(chunk.subarray(from));
  }
  const last = take();
  if (last !== undefined) yield last;
}
