import { isStackFrame, plainText, shorten } from '../text/plain-text.ts';

const MAX_LINES = 40;
const MAX_LINE = 500;
const MAX_BYTES = 8 * 1024;
/** A line that does not end is given out in pieces of this length. */
const MAX_PARTIAL = 8 * 1024;

export interface OutputTail {
  /** Takes raw output, cut anywhere, and returns the lines that are complete now, in plain text. */
  push(raw: string): string[];
  /** Completes the line under way and returns it, if there is one. */
  flush(): string[];
  /** Forgets everything. */
  reset(): void;
  /** The last lines: at most 40, at most 8 KiB, no frames of stack traces, no blank edges. */
  text(): string;
}

/** The last lines of one step's output, in bounded memory. */
export function createOutputTail(): OutputTail {
  let lines: string[] = [];
  let partial = '';

  const keep = (raw: string): string => {
    const line = plainText(raw);
    if (!isStackFrame(line)) {
      lines.push(shorten(line, MAX_LINE));
      if (lines.length > MAX_LINES) lines = lines.slice(-MAX_LINES);
    }
    return line;
  };

  return {
    push(raw) {
      const parts = (partial + raw).split('\n');
      partial = parts.pop() ?? '';
      const complete = parts.map(keep);
      while (partial.length > MAX_PARTIAL) {
        complete.push(keep(partial.slice(0, MAX_PARTIAL)));
        partial = partial.slice(MAX_PARTIAL);
      }
      return complete;
    },
    flush() {
      if (partial === '') return [];
      const line = keep(partial);
      partial = '';
      return [line];
    },
    reset() {
      lines = [];
      partial = '';
    },
    text() {
      const kept = partial === '' ? [...lines] : [...lines, shorten(plainText(partial), MAX_LINE)].slice(-MAX_LINES);
      while (kept.length > 0 && kept[0]?.trim() === '') kept.shift();
      while (kept.length > 0 && kept.at(-1)?.trim() === '') kept.pop();
      while (kept.length > 1 && Buffer.byteLength(kept.join('\n')) > MAX_BYTES) kept.shift();
      return kept.join('\n');
    },
  };
}
