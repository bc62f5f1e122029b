import type { Instant } from './time.ts';

export type OperationKind = 'create' | 'start' | 'recreate' | 'restart' | 'stop' | 'delete';
export type OperationStatus = 'running' | 'succeeded' | 'failed' | 'cancelled' | 'interrupted';

/** A piece of long work on one devcontainer, as a resource. */
export interface Operation {
  readonly id: string;
  readonly devcontainerId: string;
  readonly kind: OperationKind;
  readonly status: OperationStatus;
  /** What it is doing now, or was doing when it ended: `build`, `create`, `postCreateCommand`, `stop`, … */
  readonly phase: string;
  readonly startedAt: Instant;
  readonly endedAt?: Instant | undefined;
  readonly error?: string | undefined;
  /** Where this operation's text begins in the devcontainer's log, in bytes. */
  readonly logOffset: number;
}
