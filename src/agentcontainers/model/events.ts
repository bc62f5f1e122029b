import type { Container } from './container.ts';
import type { ConfigError, Degraded, EntryKey, JobId, StartCause, SubAgentRecordInfo } from './devcontainer.ts';
import type { Operation } from './operation.ts';
import type { KnownForward, PortForward } from './forward.ts';
import type { Holder } from './holder.ts';
import type { DeleteIntent, Swap, UpIntent, Intent, VolumesOption } from './intent.ts';
import type { RememberedEntry } from './remembered.ts';
import type { KnownConfig, MadeFrom } from './state.ts';
import type { Instant } from './time.ts';
import type { Finding, Trust, Verdict } from './verdict.ts';

/** What a strict read of a config file found. */
export type ConfigReading =
  | {
      readonly kind: 'valid';
      readonly config: KnownConfig;
      readonly name?: string | undefined;
      readonly ignored: boolean;
      readonly autoStart: boolean;
      /** Of the configuration and of the image that was built last. */
      readonly verdict: Verdict;
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
  /**
   * Set when its labels bear our signature: we made it, from the configuration with this fingerprint; or, as long as it is
   * not proven, it is a copy of one that we made.
   */
  readonly signed?: { readonly generation: string; readonly fingerprint: string } | undefined;
}

/** Everything that can happen. Facts, in the past tense; times and ids are fields. */
/** Where a hook ran, and the configuration that its command is of: the container counts as made with that hook now. */
export interface HookRan {
  readonly containerId: string;
  readonly config: Pick<KnownConfig, 'fingerprint' | 'inputs'>;
}

export type Event =
  // Known beforehand: the manifest and the state directory.
  | {
      readonly type: 'registered';
      readonly id: string;
      readonly key: EntryKey;
      readonly origin: 'manifest' | 'created' | 'discovered' | 'seen';
      readonly adopted: boolean;
      readonly name?: string | undefined;
      readonly preassignedRecordId?: string | undefined;
      readonly made: readonly MadeFrom[];
      readonly ignored?: boolean | undefined;
      /** Of a daemon that was killed. */
      readonly intent?: Intent | undefined;
      readonly trust?: Trust | undefined;
      readonly imageFindings?: readonly Finding[] | undefined;
      readonly stoppedByPerson?: boolean | undefined;
      readonly abandoned?: readonly string[] | undefined;
      readonly forwards?: readonly KnownForward[] | undefined;
    }
  | { readonly type: 'remembered'; readonly entries: readonly RememberedEntry[] }
  /** All configurations below one root, and so also those that are not there any more. */
  | {
      readonly type: 'discovered';
      readonly root: string;
      readonly found: readonly { readonly id: string; readonly key: EntryKey }[];
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
  // Trust.
  | { readonly type: 'trusted'; readonly id: string; readonly trust: Trust }
  | { readonly type: 'trustRevoked'; readonly id: string }
  /** An image was built, and asks for this; `verdict` is the configuration's with it. */
  | {
      readonly type: 'imageJudged';
      readonly id: string;
      readonly imageFindings: readonly Finding[];
      readonly verdict: Verdict;
    }
  // Use.
  | { readonly type: 'holderCame'; readonly id: string; readonly holder: Holder }
  | { readonly type: 'holderLeft'; readonly id: string; readonly holderId: string }
  // Port forwards.
  | { readonly type: 'forwardAdded'; readonly id: string; readonly forward: PortForward }
  /** Without an error it listens. */
  | {
      readonly type: 'forwardChanged';
      readonly id: string;
      readonly forwardId: string;
      readonly error?: string | undefined;
    }
  | { readonly type: 'forwardEnded'; readonly id: string; readonly forwardId: string }
  // Lifecycle. A job's id is the id of its operation.
  | {
      readonly type: 'upRequested';
      readonly id: string;
      readonly jobId: JobId;
      readonly cause: StartCause;
      /** A recreate also while somebody uses it. */
      readonly force?: boolean | undefined;
      readonly at: Instant;
      readonly logOffset: number;
    }
  /** Noted before the first side effect, and again with each further step. */
  | { readonly type: 'upBegan'; readonly id: string; readonly intent: UpIntent }
  /** From here on the old container is not left alone: its sub-agent is ended, it is not linked any more. */
  | { readonly type: 'swapBegan'; readonly id: string; readonly jobId: JobId; readonly swap: Swap }
  /** The new container is ready; the old one is only to be removed. */
  | { readonly type: 'swapReady'; readonly id: string; readonly jobId: JobId }
  /** The exchange is over, with the new container or with the old one back. */
  | {
      readonly type: 'swapEnded';
      readonly id: string;
      readonly jobId: JobId;
      /** The operation whose container is not wanted, should it still come. */
      readonly abandoned?: string | undefined;
    }
  /** The compose project of an entry has this name from now on. */
  | { readonly type: 'projectChosen'; readonly id: string; readonly project: string }
  /** A container whose making was seen: linked by a later pass. */
  | { readonly type: 'containerMade'; readonly id: string; readonly made: MadeFrom }
  | { readonly type: 'deleteBegan'; readonly id: string; readonly intent: DeleteIntent }
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
      readonly volumes: VolumesOption;
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
  | { readonly type: 'operationProgressed'; readonly jobId: JobId; readonly phase: string; readonly at: Instant }
  | {
      readonly type: 'hookRequested';
      readonly id: string;
      readonly jobId: JobId;
      readonly hook: string;
      readonly at: Instant;
      readonly logOffset: number;
    }
  | {
      readonly type: 'hookEnded';
      readonly id: string;
      readonly jobId: JobId;
      /** Absent: it ended well, and what was said of this hook before is over. */
      readonly failure?: { readonly message: string; readonly degraded: Degraded } | undefined;
      /** We ended it ourselves. */
      readonly isCancelled?: boolean | undefined;
      readonly ran?: HookRan | undefined;
      readonly at: Instant;
    }
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
