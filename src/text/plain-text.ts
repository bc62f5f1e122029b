// What a terminal takes for a command: ESC or CSI with parameters, a string up to its end, or ESC with one character. The
// pattern of `node:util` takes quadratic time for some texts, and any program can write one.
// oxlint-disable-next-line no-control-regex
const ESCAPES =
  /(?:\u001b\[|\u009b)[0-?]*[ -/]*[@-~]|\u001b[\]PX^_][^\u0007\u001b\u009c\n]*(?:\u0007|\u001b\\|\u009c)|\u001b[ -/]*[0-~]/g;
// Everything below space but tab and line feed, DEL, and the C1 block: a terminal could act on any of them.
// oxlint-disable-next-line no-control-regex
const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g;

/** Text without what a terminal takes for a command, in a time in proportion to it. */
export function withoutEscapes(text: string): string {
  return text.replaceAll(ESCAPES, '');
}

/** Text without escape sequences and control characters; lines end in `\n`; of an overwritten line the last state counts. */
export function plainText(text: string): string {
  return withoutEscapes(text)
    .replace(/(?<!\r)\r+\n/g, '\n')
    .split('\n')
    .map((line) => {
      const parts = line.split('\r').filter((part) => part !== '');
      return (parts.at(-1) ?? '').replace(CONTROL, '');
    })
    .join('\n');
}

/**
 * One line that is safe to show, whatever it was: escape sequences are gone, control, format and bidirectional
 * characters are replaced by a space.
 */
export function plainLine(text: string): string {
  return withoutEscapes(text)
    .replaceAll(
      /[\p{Cc}\p{Zl}\p{Zp}\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\u{e0000}-\u{e007f}]+/gu,
      ' ',
    )
    .trim();
}

/** At most `max` characters; what was left out is marked. */
export function shorten(text: string, max: number): string {
  return text.length <= max ? text : `${text.slice(0, max - 1)}…`;
}

/** A frame of a JavaScript stack trace, which is never shown to a person. */
export function isStackFrame(line: string): boolean {
  return /^\s*at (?:async )?\S.*:\d+:\d+\)?\s*$/.test(line) || /^\s*at async /.test(line);
}

/** The first line of an error text without the class name of the error. */
export function firstSentence(text: string): string {
  const line = plainText(text)
    .split('\n')
    .find((candidate) => candidate.trim() !== '' && !isStackFrame(candidate));
  return (line ?? '').trim().replace(/^(?:[A-Za-z]*Error): /, '');
}
