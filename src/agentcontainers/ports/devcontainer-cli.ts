import type { Instant } from '../../clock/clock.ts';
import type { EntryKey } from '../model/devcontainer.ts';

/** One step of the CLI's log that is worth showing. */
export interface CliProgress {
  /** `build`, `create`, a hook name such as `postCreateCommand`, or `other`. */
  readonly phase: string;
  /** Human text without escape sequences. */
  readonly text: string;
  /** CLI level; users want 3 and above. */
  readonly level: number;
  readonly at: Instant;
}

export interface UpRequest {
  readonly key: EntryKey;
  /** Remove the old container first. */
  readonly removeExisting: boolean;
  readonly onProgress: (progress: CliProgress) => void;
  /** Aborting kills the CLI's whole process group (TERM, then KILL). */
  readonly signal: AbortSignal;
}

export type UpOutcome =
  | {
      readonly outcome: 'success';
      readonly containerId: string;
      readonly remoteUser?: string | undefined;
      readonly remoteWorkspaceFolder?: string | undefined;
    }
  | {
      readonly outcome: 'error';
      /** Set when the container exists although the command failed (a lifecycle script did). */
      readonly containerId?: string | undefined;
      /** One readable sentence. */
      readonly message: string;
      readonly phase: string;
      readonly command?: string | undefined;
      readonly exitCode?: number | undefined;
      /** Output of the failing step: at most 40 lines. */
      readonly outputTail: string;
    };

export interface UpRun {
  /** Resolves with true when a hook after the config's `waitFor` begins, and with false when the run ended without. Never rejects. */
  readonly ready: Promise<boolean>;
  /** Rejects only with `cancelled` (after the whole process group is gone), `cli-missing` or `cli-output-invalid`. */
  readonly done: Promise<UpOutcome>;
}

/** What of the merged configuration matters here. Layers are in order, the root (the workspace's own) last. */
export interface MergedConfiguration {
  readonly workspaceFolder: string;
  readonly remoteUser?: string | undefined;
  readonly remoteEnv: Readonly<Record<string, string | null>>;
  /** `customizations` of each layer, of all namespaces; values are untrusted. */
  readonly customizations: readonly Readonly<Record<string, unknown>>[];
}

export interface DevcontainerCli {
  /** `cli-missing`. */
  version(signal: AbortSignal): Promise<string>;
  up(request: UpRequest): UpRun;
  /** Merged configuration as the CLI computes it, for an existing container if its id is given. `cli-failed`. */
  readConfiguration(request: {
    readonly key: EntryKey;
    readonly containerId?: string | undefined;
    readonly signal: AbortSignal;
  }): Promise<MergedConfiguration>;
}
