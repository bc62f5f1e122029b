import { displayWidth, padToWidth, truncateToWidth } from './display-width.ts';
import { plainText } from './plain-text.ts';

export interface TableCell {
  readonly text: string;
  /** Applied after padding, so that colour codes never count as width. */
  readonly paint?: ((text: string) => string) | undefined;
}

export interface TableColumn {
  readonly title: string;
  /** A column is never cut below this, nor below its title. Default 8. */
  readonly minWidth?: number | undefined;
  /** Columns are cut in this order, the highest number first, when the terminal is narrow; 0 (default): never. */
  readonly shrink?: number | undefined;
}

const GAP = '  ';

/**
 * Lines of a table that fit into `width` columns; with `width` undefined (output is not a terminal) nothing is cut, so
 * that scripts see whole values. All texts are made safe for a terminal first.
 */
export function renderTable(
  columns: readonly TableColumn[],
  rows: readonly (readonly (string | TableCell)[])[],
  width: number | undefined,
  paintTitle: (text: string) => string = (text) => text,
): string[] {
  const cells = rows.map((row) =>
    columns.map((_, index) => {
      const cell = row[index] ?? '';
      return typeof cell === 'string'
        ? { text: plainText(cell), paint: undefined }
        : { ...cell, text: plainText(cell.text) };
    }),
  );
  const widths = columns.map((column, index) =>
    Math.max(displayWidth(column.title), ...cells.map((row) => displayWidth(row[index]?.text ?? ''))),
  );
  if (width !== undefined) shrinkToFit(columns, widths, width);

  const line = (texts: readonly { readonly text: string; readonly paint?: ((text: string) => string) | undefined }[]) =>
    texts
      .map(({ text, paint }, index) => {
        const cut = truncateToWidth(text, widths[index] ?? 0);
        const padded = index === texts.length - 1 ? cut : padToWidth(cut, widths[index] ?? 0);
        return paint === undefined ? padded : paint(cut) + padded.slice(cut.length);
      })
      .join(GAP)
      .replace(/ +$/, '');
  return [line(columns.map(({ title }) => ({ text: title, paint: paintTitle }))), ...cells.map(line)];
}

function shrinkToFit(columns: readonly TableColumn[], widths: number[], available: number): void {
  const total = (): number => widths.reduce((sum, width) => sum + width, 0) + GAP.length * (widths.length - 1);
  const order = columns
    .map((column, index) => ({ column, index, shrink: column.shrink ?? 0 }))
    .filter(({ shrink }) => shrink > 0)
    .toSorted((a, b) => b.shrink - a.shrink);
  for (const { column, index } of order) {
    const excess = total() - available;
    if (excess <= 0) return;
    const least = Math.max(column.minWidth ?? 8, displayWidth(column.title));
    widths[index] = Math.max(Math.min(least, widths[index] ?? 0), (widths[index] ?? 0) - excess);
  }
}
