import { lineEndAfter } from './value-extent.ts';

/** A line of a text, as far as it was looked at from its beginning. */
export interface LineSoFar {
  readonly start: number;
  /** Before the line feed. */
  readonly end: number;
  /** The quote in which the place lies that was asked for. */
  readonly around: string | undefined;
  /** There is an open brace before it. */
  readonly isInBraces: boolean;
}

/** Goes through a text once, to tell for places in it, one after the other, what is on their line before them. */
export function createLineCursor(text: string): { at(place: number): LineSoFar } {
  let start = 0;
  let end = lineEndAfter(text, 0);
  let seen = 0;
  let around: string | undefined;
  let braces = 0;

  return {
    at(place) {
      while (end < place) {
        start = end + 1;
        end = lineEndAfter(text, start);
        seen = start;
        around = undefined;
        braces = 0;
      }
      for (; seen < place; seen++) {
        const character = text[seen] ?? '';
        if (character === '\\') seen++;
        else if (character === around) around = undefined;
        else if (around === undefined && (character === '"' || character === "'")) around = character;
        else if (character === '{') braces++;
        else if (character === '}') braces--;
      }
      return { start, end, around, isInBraces: braces > 0 };
    },
  };
}
