import type { Instant } from './time.ts';

/** `recover`: what a daemon that was killed had begun is brought to an end. `rerun-hook`: a lifecycle command is run again. */
export type OperationKind = 'create' | 'start' | 'recreate' | 'restart' | 'stop' | 'delete' | 'recover' | 'rerun-hook';
export type OperationStatus = 'running' | 'succeeded' | 'failed' | 'cancelled' | 'interrupted';

/** A part of an operation that people are told of. */
export interface OperationStep {
  /** As in `Operation.phase`. */
  readonly name: string;
  readonly startedAt: Instant;
  readonly endedAt?: Instant | undefined;
}

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
  /** What it has done so far, oldest first; bounded. */
  readonly steps: readonly OperationStep[];
}
