import type { Instant } from './time.ts';

/** Somebody who uses a devcontainer now, whom a recreate would cut off. */
export interface Holder {
  readonly id: string;
  readonly kind: 'exec' | 'terminal' | 'sub-agent';
  /** One line, without secrets: the program of a command, not its arguments. */
  readonly description: string;
  readonly since: Instant;
}
