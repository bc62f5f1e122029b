import { processPath } from './request-path.ts';
import type { ResidentAnswer, ResidentConnection } from './resident-connection.ts';

/** Asks for the output of a process, to its end; attached, with a way in. */
export function openOutput(
  connection: ResidentConnection,
  id: string,
  options: {
    readonly doing: string;
    readonly offset: number;
    readonly isAttached: boolean;
    readonly isReadOnly?: boolean;
    readonly signal: AbortSignal;
  },
): Promise<ResidentAnswer> {
  const { doing, offset, isAttached, isReadOnly = false, signal } = options;
  return isAttached
    ? connection.open({
        doing,
        method: 'POST',
        path: processPath(id, 'attach', { offset, read_only: isReadOnly ? 1 : 0 }),
        send: () => {},
        signal,
      })
    : connection.open({ doing, method: 'GET', path: processPath(id, 'output', { offset, follow: 1 }), signal });
}
