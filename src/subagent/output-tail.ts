import { plainLine } from '../text/plain-text.ts';

const MAX_LINES = 40;
const MAX_CHARACTERS = 8_192;

/** The last lines that a process wrote, bounded and safe to show. */
export interface OutputTail {
  add(line: string): void;
  /** One line, safe to show. */
  clean(line: string): string;
  /** At most 40 lines and 8,192 characters, without escape sequences and without the secrets. */
  text(): string;
  /** The last line that says something. */
  lastLine(): string;
}

/** @param secrets texts that are replaced wherever they appear */
export function createOutputTail(secrets: readonly string[]): OutputTail {
  const lines: string[] = [];
  const clean = (line: string): string => {
    let text = line;
    for (const secret of secrets) text = text.replaceAll(secret, '[redacted]');
    return plainLine(text);
  };
  return {
    clean,
    add(line) {
      // A copy: a piece of a large chunk would keep all of it in memory.
      lines.push(Buffer.from(line).toString());
      if (lines.length > MAX_LINES) lines.shift();
    },
    text: () => lines.map(clean).join('\n').slice(-MAX_CHARACTERS),
    lastLine: () => lines.map(clean).findLast((line) => line !== '') ?? '',
  };
}
