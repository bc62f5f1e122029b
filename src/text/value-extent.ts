/** Where parts of a text end. Each looks at no more than it takes, or ends at the end of the line. */

/** After the quote that closes what was opened before `at`; `undefined` when there is none before `limit`. */
export function endOfQuoted(text: string, at: number, quote: string, limit: number): number | undefined {
  for (let index = at; index < limit; index++) {
    if (text.startsWith(quote, index)) {
      // In YAML two of them are one that is meant.
      if (quote !== "'" || text[index + 1] !== "'") return index + quote.length;
      index++;
    } else if (text[index] === '\\' && quote !== "'") index++;
  }
  return undefined;
}

/** After the bracket that closes the one at `at`; the end of the text when none does. */
export function endOfBrackets(text: string, at: number): number {
  let depth = 0;
  for (let index = at; index < text.length; index++) {
    const character = text[index] ?? '';
    if (character === '"') index = (endOfQuoted(text, index + 1, '"', text.length) ?? text.length) - 1;
    else if (character === '[' || character === '{') depth++;
    else if ((character === ']' || character === '}') && --depth === 0) return index + 1;
  }
  return text.length;
}

/** Before the brace that closes one that was opened before `at`; `limit` when none does. */
export function endOfBraced(text: string, at: number, limit: number): number {
  let depth = 1;
  for (let index = at; index < limit; index++) {
    if (text.startsWith('${', index)) depth++;
    else if (text[index] === '}' && --depth === 0) return index;
  }
  return limit;
}

/**
 * After a word as a shell takes it, with its quotes and escapes, also over the end of a line that goes on.
 *
 * @param around quote in which the word stands: it ends the word
 */
export function endOfWord(text: string, at: number, around: string | undefined, lineEnd: number): number {
  let limit = lineEnd;
  for (let index = at; index < limit; index++) {
    const character = text[index] ?? '';
    if (character === around || /[\s;&|`]/.test(character)) return index;
    if (character === '\\') {
      index++;
      if (text[index] === '\n') limit = lineEndAfter(text, index + 1);
    } else if (character === '"' || character === "'") {
      const end = endOfQuoted(text, index + 1, character, limit);
      // It may go on below, or close what was opened above.
      if (end === undefined) return limit;
      index = end - 1;
    }
  }
  return limit;
}

/** The end of the line, without what separates it from the next part of a list. */
export function endOfLine(text: string, at: number, lineEnd: number): number {
  let end = lineEnd;
  while (end > at && /[\s,]/.test(text[end - 1] ?? '')) end--;
  return Math.max(end, at);
}

/** The end of this line and of those after it that go on with what it says, each by a backslash at the end of the one before. */
export function endOfContinued(text: string, lineEnd: number): number {
  let end = lineEnd;
  while (text[end - 1] === '\\' && end < text.length) end = lineEndAfter(text, end + 1);
  return end;
}

/**
 * The end of the lines after this one that belong to it since they are indented deeper than `column`.
 *
 * @param withList also items of a list in that very column
 */
export function endOfBlock(text: string, lineEnd: number, column: number, withList: boolean): number {
  let end = lineEnd;
  for (let from = lineEnd + 1; from <= text.length;) {
    const next = lineEndAfter(text, from);
    const line = text.slice(from, next);
    const indentation = line.length - line.trimStart().length;
    if (line.trim() !== '') {
      const isItem = withList && indentation === column && /^-(?:\s|$)/.test(line.slice(indentation, indentation + 2));
      if (indentation <= column && !isItem) break;
      end = next;
    }
    from = next + 1;
  }
  return end;
}

export function lineEndAfter(text: string, at: number): number {
  const end = text.indexOf('\n', at);
  return end < 0 ? text.length : end;
}
