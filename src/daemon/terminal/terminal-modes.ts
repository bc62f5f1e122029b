/** Modes that outlast the program that set them: what a terminal is to be in again, by the number of each. */
const SET_BY_DEFAULT = new Set(['7', '25']);
const KNOWN = new Set([
  ...SET_BY_DEFAULT,
  ...['1', '9', '47', '1000', '1001', '1002', '1003', '1004', '1005', '1006', '1015', '1016', '1047', '1049', '2004'],
]);
// The sequence that sets or resets private modes, the reset of the whole terminal, and keypad modes.
const SEQUENCE = /\u001b(?:\[\?([\d;]{1,64})([hl])|(c)|([=>]))/g;
/** The longest sequence that may be cut between two pieces of output. */
const TAIL = 70;

/** Watches what is written to a terminal, so that its modes can be put back when the writer is left in the middle. */
export interface TerminalModes {
  watch(bytes: Uint8Array): void;
  /** What puts the terminal back; empty when nothing has to be. */
  restore(): string;
}

export function createTerminalModes(): TerminalModes {
  const changed = new Set<string>();
  let keypad = false;
  let isColored = false;
  let tail = '';

  return {
    watch(bytes) {
      const text = tail + Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
      if (text.includes('\u001b[')) isColored = true;
      let end = 0;
      for (const match of text.matchAll(SEQUENCE)) {
        end = match.index + match[0].length;
        const [, numbers, how, isReset, keypadMode] = match;
        if (isReset !== undefined) changed.clear();
        if (keypadMode !== undefined) keypad = keypadMode === '=';
        for (const mode of numbers?.split(';') ?? []) {
          if (!KNOWN.has(mode)) continue;
          if ((how === 'h') === SET_BY_DEFAULT.has(mode)) changed.delete(mode);
          else changed.add(mode);
        }
      }
      const escape = text.lastIndexOf('\u001b');
      tail = escape >= end && text.length - escape < TAIL ? text.slice(escape) : '';
    },
    restore() {
      const modes = [...changed].map((mode) => `\u001b[?${mode}${SET_BY_DEFAULT.has(mode) ? 'h' : 'l'}`);
      return [...modes, ...(keypad ? ['\u001b>'] : []), ...(isColored ? ['\u001b[0m'] : [])].join('');
    },
  };
}
