import type { Instant } from './time.ts';

export type JobId = string;

/** Identity of an entry: the real paths of the workspace folder and of its config file. */
export interface EntryKey {
  readonly workspaceFolder: string;
  readonly configPath: string;
}

export type StartCause = 'create' | 'start' | 'recreate' | 'autostart' | 'manifest' | 'recover';

/** What a devcontainer's lifecycle is at. `starting`, `stopping` and `deleting` belong to the job that set them. */
export type Phase =
  | { readonly status: 'stopped' }
  | { readonly status: 'running' }
  | { readonly status: 'starting'; readonly jobId: JobId; readonly cause: StartCause }
  | { readonly status: 'stopping' | 'deleting'; readonly jobId: JobId }
  | { readonly status: 'error'; readonly failedAt: Instant };

export type DevcontainerStatus = Phase['status'];

/**
 * What the sub-agent of a devcontainer is at. Each kind but the first two names the run of a container it speaks of
 * (see `runOf`), so that a container that was restarted or replaced is told from the one before.
 */
export type Agent =
  | { readonly kind: 'none' }
  | { readonly kind: 'ignored' }
  | { readonly kind: 'unsupported'; readonly run: string; readonly reason: string }
  | { readonly kind: 'injecting'; readonly run: string; readonly jobId: JobId; readonly failures: number }
  | {
      readonly kind: 'injected';
      readonly run: string;
      readonly jobId: JobId;
      /** How many tries in a row had failed before this one. */
      readonly failures: number;
      readonly startedAt: Instant;
      readonly version?: string | undefined;
    }
  | {
      readonly kind: 'exited' | 'failed';
      readonly run: string;
      readonly jobId: JobId;
      /** How many tries in a row have failed; sets the back-off. */
      readonly failures: number;
      readonly reason: string;
      /** No new try before this. */
      readonly retryAt: Instant;
    };

/** The entry of a sub-agent at the control plane. The token is not part of it and is never kept in state. */
export interface SubAgentRecordInfo {
  readonly id: string;
  readonly name: string;
  readonly directory: string;
}

/**
 * How far we go with a devcontainer. `seen`: listed, read only. `adopted`: under a configured root, or adopted by a
 * person or by the option. `managed`: we made its container.
 */
export type Level = 'seen' | 'adopted' | 'managed';

/** A strict parse error of a devcontainer.json; line and column count from 1. */
export interface ConfigError {
  readonly message: string;
  readonly line: number;
  readonly column: number;
}

/** A difference between the configuration now and the one that the container was made from. */
export interface DirtyReason {
  /** Which input changed: `devcontainer.json`, or a property of it, or another file. */
  readonly input: string;
  readonly class: 'recreate' | 'rerun-hook' | 'live' | 'none';
}

/** A lifecycle script or hook that failed while the container itself came up. */
export interface Degraded {
  readonly phase: string;
  readonly command?: string | undefined;
  readonly exitCode?: number | undefined;
  readonly outputTail: string;
}

/** Another container that claims the same entry, and why it was not chosen. */
export interface Candidate {
  readonly containerId: string;
  readonly name: string;
  readonly reason: string;
}
