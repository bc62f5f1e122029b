import type { BusyCounts } from '../../agentcontainers/ports.ts';

/** `2 commands, 1 terminal`; `undefined` when nothing runs. */
export function busyReason(all: readonly BusyCounts[]): string | undefined {
  const sum = (of: (counts: BusyCounts) => number): number => all.reduce((total, counts) => total + of(counts), 0);
  const parts = [
    [sum(({ commands }) => commands), 'command'],
    [sum(({ terminals }) => terminals), 'terminal'],
  ] as const;
  const text = parts.filter(([count]) => count > 0).map(([count, name]) => `${count} ${name}${count === 1 ? '' : 's'}`);
  return text.length === 0 ? undefined : text.join(', ');
}
