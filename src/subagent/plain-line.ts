import { stripVTControlCharacters } from 'node:util';

/**
 * One line that is safe to show, whatever it was: escape sequences are gone, control, format and bidirectional
 * characters are replaced by a space.
 */
export function plainLine(text: string): string {
  return stripVTControlCharacters(text)
    .replaceAll(/[\p{Cc}\p{Zl}\p{Zp}\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]+/gu, ' ')
    .trim();
}
