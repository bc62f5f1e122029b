import { withoutEscapes } from '../../text/plain-text.ts';

// C0 and C1 controls, characters without width and such that change a direction, line and paragraph separators, tags.
// oxlint-disable-next-line no-control-regex
const UNSAFE =
  /[\u0000-\u001f\u007f-\u009f\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\u{e0000}-\u{e007f}]/gu;

/**
 * One line that is safe on a terminal: labels, names and errors come from containers and could otherwise move the
 * cursor, recolour, retitle or reorder what a person reads.
 */
export function plainText(text: string): string {
  return withoutEscapes(text)
    .replace(/(?<!\s)\s*\r?\n\s*/g, ' ')
    .replaceAll('\t', ' ')
    .replace(UNSAFE, '\ufffd')
    .trim();
}

/** The same for text of several lines, such as a log: line feeds and tabs stay. */
export function plainLines(text: string): string {
  return withoutEscapes(text)
    .replaceAll('\r\n', '\n')
    .replaceAll('\r', '\n')
    .replace(UNSAFE, (character) => (character === '\n' || character === '\t' ? character : '\ufffd'));
}
