import type { Container } from './container.ts';
import type { ConfigError, Degraded, EntryKey, JobId, StartCause, SubAgentRecordInfo } from './devcontainer.ts';
import type { Operation } from './operation.ts';
import type { Intent, KnownConfig, MadeFrom } from './state.ts';
import type { Instant } from './time.ts';

/** What a strict read of a config file found. */
export type ConfigReading =
  | {
      readonly kind: 'valid';
      readonly config: KnownConfig;
      readonly name?: string | undefined;
      readonly ignored: boolean;
    }
  | { readonly kind: 'invalid'; readonly error: ConfigError }
  | { readonly kind: 'missing' };

/** A container's claim, by its labels, to be the dev container of an entry. */
export interface Claim {
  readonly containerId: string;
  readonly entryId: string;
  readonly key: EntryKey;
  /** Its bind mount leads to the folder; without that a label proves nothing. */
  readonly proven: boolean;
  readonly underRoot: boolean;
  /** Its config label names the entry's file, in whatever spelling; older tools set no such label. */
  readonly namesConfig: boolean;
}

/** Everything that can happen. Facts, in the past tense; times and ids are fields. */
export type Event =
  // Known beforehand: the manifest and the state directory.
  | {
      readonly type: 'registered';
      readonly id: string;
      readonly key: EntryKey;
      readonly origin: 'manifest' | 'created' | 'seen';
      readonly adopted: boolean;
      readonly name?: string | undefined;
      readonly preassignedRecordId?: string | undefined;
      readonly made: readonly MadeFrom[];
      readonly ignored?: boolean | undefined;
      readonly intent?: Intent | undefined;
    }
  | { readonly type: 'operationRestored'; readonly operation: Operation }
  // Observation.
  | {
      readonly type: 'observed';
      readonly startRevision: number;
      readonly at: Instant;
      readonly passId: string;
      readonly containers: readonly Container[];
      readonly claims: readonly Claim[];
      readonly readings: ReadonlyMap<string, ConfigReading>;
    }
  | { readonly type: 'observeFailed'; readonly message: string; readonly at: Instant }
  | { readonly type: 'configRead'; readonly id: string; readonly reading: ConfigReading }
  // Lifecycle. A job's id is the id of its operation.
  | {
      readonly type: 'upRequested';
      readonly id: string;
      readonly jobId: JobId;
      readonly cause: StartCause;
      readonly at: Instant;
      readonly logOffset: number;
    }
  | { readonly type: 'upBegan'; readonly id: string; readonly intent: Intent }
  | { readonly type: 'upReady'; readonly id: string; readonly jobId: JobId }
  | {
      readonly type: 'upSucceeded';
      readonly id: string;
      readonly jobId: JobId;
      readonly containerId: string;
      readonly at: Instant;
    }
  | {
      readonly type: 'upFailed';
      readonly id: string;
      readonly jobId: JobId;
      readonly containerId?: string | undefined;
      readonly message: string;
      readonly degraded: Degraded;
      readonly at: Instant;
    }
  | { readonly type: 'upCancelled'; readonly id: string; readonly jobId: JobId; readonly at: Instant }
  | {
      readonly type: 'stopRequested';
      readonly id: string;
      readonly jobId: JobId;
      readonly at: Instant;
      readonly logOffset: number;
    }
  | {
      readonly type: 'stopEnded';
      readonly id: string;
      readonly jobId: JobId;
      readonly error?: string | undefined;
      readonly at: Instant;
    }
  | {
      readonly type: 'restartRequested';
      readonly id: string;
      readonly jobId: JobId;
      readonly at: Instant;
      readonly logOffset: number;
    }
  | { readonly type: 'restartStopped'; readonly id: string; readonly jobId: JobId }
  | {
      readonly type: 'deleteRequested';
      readonly id: string;
      readonly jobId: JobId;
      readonly volumes: boolean;
      readonly at: Instant;
      readonly logOffset: number;
    }
  | { readonly type: 'deleteStopped'; readonly id: string; readonly jobId: JobId }
  | {
      readonly type: 'deleteEnded';
      readonly id: string;
      readonly jobId: JobId;
      readonly error?: string | undefined;
      readonly at: Instant;
    }
  | { readonly type: 'operationProgressed'; readonly jobId: JobId; readonly phase: string }
  // Sub-agent.
  | { readonly type: 'subAgentCreated'; readonly id: string; readonly record: SubAgentRecordInfo }
  | { readonly type: 'subAgentDeleted'; readonly id: string; readonly recordId: string }
  | {
      readonly type: 'injected';
      readonly id: string;
      readonly jobId: JobId;
      readonly version?: string | undefined;
      readonly at: Instant;
    }
  | {
      readonly type: 'injectFailed';
      readonly id: string;
      readonly jobId: JobId;
      readonly reason: string;
      readonly at: Instant;
    }
  | { readonly type: 'injectUnsupported'; readonly id: string; readonly jobId: JobId; readonly reason: string }
  | { readonly type: 'injectDropped'; readonly id: string; readonly jobId: JobId }
  | {
      readonly type: 'subAgentExited';
      readonly id: string;
      readonly jobId: JobId;
      readonly reason: string;
      readonly at: Instant;
    }
  // The library itself.
  | { readonly type: 'closing' }
  | { readonly type: 'closed' };
