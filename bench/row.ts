export type Unit = 'ms' | 'MB' | '%' | 'count';

/** One line of the result. */
export interface Row {
  readonly name: string;
  readonly unit: Unit;
  /** The median of the samples, unless the name says otherwise. */
  readonly ours: number;
  readonly baseline?: number;
  /** `ratio`: the baseline divided by ours must reach it. `below`: ours must be under it. `zero`: ours must be 0. */
  readonly demand?: { readonly kind: 'ratio' | 'below'; readonly value: number } | { readonly kind: 'zero' };
  /** How many times it was measured; for counters, over how many seconds. */
  readonly rounds: string;
  readonly samples?: { readonly ours: readonly number[]; readonly baseline?: readonly number[] };
}

export function ratioOf(row: Row): number | undefined {
  return row.baseline === undefined ? undefined : row.baseline / row.ours;
}

/** `undefined` when nothing is demanded. */
export function isMet(row: Row): boolean | undefined {
  const { demand } = row;
  switch (demand?.kind) {
    case undefined:
      return undefined;
    case 'ratio':
      return (ratioOf(row) ?? 0) >= demand.value;
    case 'below':
      return row.ours < demand.value;
    case 'zero':
      return row.ours === 0;
  }
}

export function median(samples: readonly number[]): number {
  return quantile(samples, 0.5);
}

/** Nearest rank; of an even number of samples the median is the mean of the middle two. */
export function quantile(samples: readonly number[], q: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  if (sorted.length === 0) return Number.NaN;
  if (q === 0.5 && sorted.length % 2 === 0) {
    const half = sorted.length / 2;
    return ((sorted[half - 1] ?? Number.NaN) + (sorted[half] ?? Number.NaN)) / 2;
  }
  return sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)] ?? Number.NaN;
}

const HEAD = ['name', 'ours', 'baseline', 'ratio', 'demanded', 'ok', 'rounds'];

/** A table in Markdown, aligned so that it reads well as plain text too. */
export function formatTable(rows: readonly Row[]): string {
  const lines = [HEAD, ...rows.map(cells)];
  const widths = HEAD.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  const isText = (column: number): boolean => column === 0 || column === HEAD.length - 2;
  const format = (line: readonly string[]): string =>
    `| ${line.map((cell, column) => (isText(column) ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0))).join(' | ')} |`;
  const rule = `| ${widths.map((width, column) => (isText(column) ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`)).join(' | ')} |`;
  return [format(lines[0] ?? []), rule, ...lines.slice(1).map(format)].join('\n');
}

function cells(row: Row): string[] {
  const ratio = ratioOf(row);
  const met = isMet(row);
  return [
    row.name,
    amount(row.ours, row.unit),
    row.baseline === undefined ? '' : amount(row.baseline, row.unit),
    ratio === undefined || !Number.isFinite(ratio) ? '' : `${ratio.toFixed(1)}x`,
    demandText(row),
    met === undefined ? '' : met ? 'yes' : 'NO',
    row.rounds,
  ];
}

function demandText({ demand, unit }: Row): string {
  switch (demand?.kind) {
    case undefined:
      return '';
    case 'ratio':
      return `${demand.value}x`;
    case 'below':
      return `< ${amount(demand.value, unit)}`;
    case 'zero':
      return '0';
  }
}

function amount(value: number, unit: Unit): string {
  switch (unit) {
    case 'count':
      return String(value);
    case '%':
      return `${value.toFixed(2)} %`;
    case 'ms':
    case 'MB':
      return `${value < 100 ? value.toFixed(1) : value.toFixed(0)} ${unit}`;
  }
}
