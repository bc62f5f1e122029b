/**
 * What a terminal of this size shows after these bytes: one line of text for each row, without spaces at its end. Knows
 * what plain programs of busybox use: positions, erasing, line ends; colours and modes change no text.
 */
export function screenOf(bytes: Uint8Array, { width, height }: { readonly width: number; readonly height: number }) {
  const rows = Array.from({ length: height }, () => Array.from({ length: width }, () => ' '));
  let [x, y] = [0, 0];
  const clear = (row: number, from: number, to: number): void => void rows[row]?.fill(' ', from, to);
  function lineFeed(): void {
    if (y < height - 1) return void y++;
    rows.push(Array.from({ length: width }, () => ' '));
    rows.shift();
  }
  function print(character: string): void {
    const row = rows[y];
    if (row && x < width) row[x++] = character;
  }
  function control(final: string, numbers: readonly number[]): void {
    const [first = 0, second = 0] = numbers;
    if (final === 'H') [y, x] = [Math.min(Math.max(first, 1), height) - 1, Math.min(Math.max(second, 1), width) - 1];
    if (final === 'A') y = Math.max(0, y - Math.max(1, first));
    if (final === 'C') x = Math.min(width - 1, x + Math.max(1, first));
    if (final === 'K') clear(y, x, width);
    if (final === 'J') {
      clear(y, first === 2 ? 0 : x, width);
      for (let row = first === 2 ? 0 : y + 1; row < height; row++) clear(row, 0, width);
    }
  }
  // eslint-disable-next-line no-control-regex
  for (const [token] of Buffer.from(bytes)
    .toString('latin1')
    .matchAll(/\x1b\[[?>]?[\d;]*[@-~]|\x1b.|[\s\S]/g)) {
    // eslint-disable-next-line no-control-regex
    const [, numbers, final] = /^\x1b\[([\d;]*)([@-~])$/.exec(token) ?? [];
    if (final !== undefined) control(final, (numbers ?? '').split(';').map(Number));
    else if (token === '\r') x = 0;
    else if (token === '\n') lineFeed();
    else if (token === '\b') x = Math.max(0, x - 1);
    else if (token >= ' ' && token.length === 1) print(token);
  }
  return rows.map((row) => row.join('').trimEnd());
}
