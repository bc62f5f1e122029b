/** Keeps the first and the last bytes of an output of any length. */
export interface EndsOfOutput {
  add(bytes: Uint8Array): void;
  /** Text, with a line in the place of what was left out. Characters are never cut; what is no UTF-8 is replaced. */
  text(): { readonly text: string; readonly totalBytes: number; readonly omittedBytes: number };
}

/**
 * @param headBytes kept from the beginning
 * @param tailBytes kept from the end
 */
export function createEndsOfOutput(headBytes: number, tailBytes: number): EndsOfOutput {
  const head: Uint8Array[] = [];
  let headSize = 0;
  let tail: Uint8Array[] = [];
  let tailSize = 0;
  let total = 0;

  function addToTail(bytes: Uint8Array): void {
    tail.push(bytes);
    tailSize += bytes.length;
    // Whole pieces go as long as enough is left without them.
    while (tailSize - (tail[0]?.length ?? 0) >= tailBytes && tail.length > 1) tailSize -= tail.shift()?.length ?? 0;
    // Many small pieces cost more than what is in them.
    if (tail.length > 1_024) tail = [Buffer.concat(tail)];
  }

  return {
    add(bytes) {
      total += bytes.length;
      const fits = Math.min(bytes.length, headBytes - headSize);
      if (fits > 0) {
        head.push(Buffer.from(bytes.subarray(0, fits)));
        headSize += fits;
      }
      // A copy: a view of one small part may keep a large buffer alive.
      if (fits < bytes.length) addToTail(Buffer.from(bytes.subarray(Math.max(fits, bytes.length - tailBytes))));
    },
    text() {
      const first = Buffer.concat(head);
      const last = Buffer.concat(tail).subarray(-tailBytes);
      if (total <= first.length + last.length) {
        return { text: Buffer.concat([first, last]).toString('utf8'), totalBytes: total, omittedBytes: 0 };
      }
      const begin = first.subarray(0, endOfCharacters(first));
      const end = last.subarray(startOfCharacters(last));
      const omitted = total - begin.length - end.length;
      const note = `\n[${omitted} bytes left out]\n`;
      return {
        text: `${begin.toString('utf8')}${note}${end.toString('utf8')}`,
        totalBytes: total,
        omittedBytes: omitted,
      };
    },
  };
}

const isContinuation = (byte: number): boolean => (byte & 0xc0) === 0x80;

/** How many of the first bytes are whole characters. */
function endOfCharacters(bytes: Uint8Array): number {
  let start = bytes.length - 1;
  while (start >= 0 && bytes.length - start < 4 && isContinuation(bytes[start] ?? 0)) start--;
  const lead = bytes[start] ?? 0;
  const length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
  return start >= 0 && start + length > bytes.length ? start : bytes.length;
}

/** Where the first whole character begins. */
function startOfCharacters(bytes: Uint8Array): number {
  let start = 0;
  while (start < 3 && start < bytes.length && isContinuation(bytes[start] ?? 0)) start++;
  return start;
}
