import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { LEGAL_TRANSITIONS } from '../../../test/property/support/legal-transitions.ts';

const document = readFileSync(new URL('../../../docs/design/transitions.md', import.meta.url), 'utf8');

/** Rows of the table below the header `| from | to |`, as lists of cells. */
function rowsBelow(...header: readonly string[]): string[][] {
  const lines = document.split('\n').map((line) =>
    line.startsWith('|')
      ? line
          .split('|')
          .slice(1, -1)
          .map((cell) => cell.trim())
      : undefined,
  );
  const start = lines.findIndex((cells) => JSON.stringify(cells) === JSON.stringify(header));
  const end = lines.findIndex((cells, index) => index > start && cells === undefined);
  return lines.slice(start + 2, end).map((cells) => cells ?? []);
}

describe('docs/design/transitions.md', () => {
  it('declares exactly the transitions that the property suites hold the model to', () => {
    const declared = rowsBelow('from', 'to').map(([from, to]) => [from, to?.split(', ').toSorted()]);
    const legal = Object.entries(LEGAL_TRANSITIONS).map(([from, to]) => [from, to.toSorted()]);
    expect(declared).toEqual(legal);
  });

  it('explains every transition that it declares', () => {
    const text = rowsBelow('from', 'event', 'to', 'what follows');
    const statuses = (cell = ''): string[] => [...cell.matchAll(/`([a-z]+)`/g)].map(([, status]) => status ?? '');
    const explained = new Set(
      text.flatMap(([from, , to]) => statuses(from).flatMap((a) => statuses(to).map((b) => `${a} -> ${b}`))),
    );
    for (const [from, to] of Object.entries(LEGAL_TRANSITIONS)) {
      for (const status of to) expect(explained).toContain(`${from} -> ${status}`);
    }
  });
});
