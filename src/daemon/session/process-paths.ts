import type { TerminalSize } from '../../agentcontainers/ports.ts';

/** `/devcontainers/:id/processes/:process` and what comes after. */
export function processPath(base: string, processId: string, rest = ''): string {
  return `${base}/processes/${encodeURIComponent(processId)}${rest}`;
}

export const killPath = (base: string, processId: string): string => processPath(base, processId, '/kill');
export const signalPath = (base: string, processId: string): string => processPath(base, processId, '/signal');

export function attachPath(
  base: string,
  processId: string,
  options: {
    readonly offset: number;
    readonly readOnly?: boolean | undefined;
    readonly size?: TerminalSize | undefined;
  },
): string {
  const query = new URLSearchParams({ offset: String(options.offset) });
  if (options.readOnly === true) query.set('read_only', 'true');
  if (options.size) {
    query.set('width', String(options.size.width));
    query.set('height', String(options.size.height));
  }
  return processPath(base, processId, `/attach?${query.toString()}`);
}
