import type { ContainerState } from '../agentcontainers/model/container.ts';

/** The state as our word; an engine's own further states are mapped to the nearest one. */
export function containerState(text: string): ContainerState {
  const state = text.toLowerCase();
  switch (state) {
    case 'created':
    case 'restarting':
    case 'running':
    case 'removing':
    case 'paused':
    case 'exited':
    case 'dead':
      return state;
    case 'configured':
    case 'initialized':
      return 'created';
    case 'stopping':
      return 'running';
    case 'stopped':
      return 'exited';
    default:
      return 'dead';
  }
}

/**
 * `running`, `exited successfully`, `exited with code N`, or the state's own word; `: <error>` follows when there is
 * one. An exit whose code is not known is just `exited`.
 */
export function statusText(state: ContainerState, exitCode: number | undefined, error = ''): string {
  let text: string = state;
  if (state === 'exited' && exitCode !== undefined) {
    text = exitCode === 0 ? 'exited successfully' : `exited with code ${exitCode}`;
  }
  return error ? `${text}: ${error}` : text;
}

/** The exit code in a listing's `Exited (137) 5 seconds ago`. */
export function exitCodeOfStatus(status: string): number | undefined {
  const match = /^Exited \((-?\d{1,10})\)/i.exec(status);
  return match ? Number(match[1]) : undefined;
}
