import type { HookName } from '../model/hook-names.ts';
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

/** A process on this machine, told from another one that got its number later. Its id is that of its group too. */
export interface ProcessIdentity {
  readonly pid: number;
  /** What the kernel says of its start; only equality counts. */
  readonly startedAt: string;
}

interface CliRequest {
  readonly key: EntryKey;
  readonly onProgress: (progress: CliProgress) => void;
  /** Called once, when the process has begun: noted, it can be ended by a later daemon. */
  readonly onSpawn?: ((process: ProcessIdentity) => void) | undefined;
  /**
   * The devcontainer.json that was judged, as its strict reading gave it. With it the file is not read again: whatever was
   * written into it meanwhile counts for the next time.
   */
  readonly config?: Readonly<Record<string, unknown>> | undefined;
  /**
   * A last look, when nothing is waited for any more and right before the process begins. When it rejects none begins;
   * with `verdict-changed` and `devcontainer-not-trusted` the call rejects as well.
   */
  readonly beforeSpawn?: (() => Promise<void>) | undefined;
  /**
   * Name of the compose project, whatever files say. Needed for a compose configuration: the CLI finds and makes the
   * container by the name of the project and of the service alone.
   */
  readonly composeProject?: string | undefined;
  /** Aborting kills the CLI's whole process group (TERM, then KILL). */
  readonly signal: AbortSignal;
}

/** Builds or pulls what the container will be made from. Touches no container, runs no command of the host. */
export type BuildRequest = CliRequest;

export interface UpRequest extends CliRequest {
  /** `find`: the container that is there is started. `make`: one is made beside whatever is there. */
  readonly mode: 'find' | 'make';
  /**
   * Labels of ours, more than the CLI's own two: on a container that is made; with `find` those of the very container
   * that is meant, so that no other one with the CLI's two labels is taken for it.
   */
  readonly labels?: Readonly<Record<string, string>> | undefined;
  /** Leave out the command that runs on the host. */
  readonly withoutInitializeCommand?: boolean | undefined;
  /** Directories of the host that a container that is made can read and not write. Only with `make`. */
  readonly readOnlyMounts?: readonly ReadOnlyMount[] | undefined;
  /** Called when the container runs: from then on nothing is read that it is made from, and its hooks are still to come. */
  readonly onContainerRuns?: (() => void) | undefined;
}

export interface ReadOnlyMount {
  readonly source: string;
  readonly target: string;
}

export interface CliFailure {
  readonly outcome: 'error';
  /** Set when the container exists although the command failed (a lifecycle script did). */
  readonly containerId?: string | undefined;
  /** One readable sentence and the next step. */
  readonly message: string;
  readonly phase: string;
  readonly command?: string | undefined;
  readonly exitCode?: number | undefined;
  /** Output of the failing step: at most 40 lines. */
  readonly outputTail: string;
}

export type BuildOutcome =
  | {
      readonly outcome: 'success';
      /** What was built or found; the first is the container's. */ readonly images: readonly string[];
    }
  | CliFailure;

export type UpOutcome =
  | {
      readonly outcome: 'success';
      readonly containerId: string;
      readonly remoteUser?: string | undefined;
      readonly remoteWorkspaceFolder?: string | undefined;
    }
  | CliFailure;

export interface UpRun {
  /** Resolves with true when a hook after the config's `waitFor` begins, and with false when the run ended without. Never rejects. */
  readonly ready: Promise<boolean>;
  /**
   * Rejects only with `cancelled` (after the whole process group is gone), `cli-missing` or `cli-output-invalid`, and as
   * the last look did.
   */
  readonly done: Promise<UpOutcome>;
}

/** What of the merged configuration matters here. Layers are in order, the root (the workspace's own) last. */
export interface MergedConfiguration {
  readonly workspaceFolder: string;
  readonly remoteUser?: string | undefined;
  readonly remoteEnv: Readonly<Record<string, string | null>>;
  /** Which profiles make the environment of commands. Default `loginInteractiveShell`. */
  readonly userEnvProbe?: UserEnvProbe | undefined;
  /** `customizations` of each layer, of all namespaces; values are untrusted. */
  readonly customizations: readonly Readonly<Record<string, unknown>>[];
  /** Lifecycle commands of all layers, in the order in which they run. */
  readonly hooks: Readonly<Partial<Record<HookName, readonly HookCommand[]>>>;
  /** Those of the workspace's own file as it is now; in `hooks` the last layer is what a container was made with. */
  readonly ownHooks?: Readonly<Partial<Record<HookName, HookCommand>>> | undefined;
}

export type UserEnvProbe = 'none' | 'loginShell' | 'interactiveShell' | 'loginInteractiveShell';

export type { HookName };

/** A shell line, a program with arguments, or several of them by name, which run at the same time. */
export type HookCommand = string | readonly string[] | Readonly<Record<string, string | readonly string[]>>;

export interface DevcontainerCli {
  /** `cli-missing`. */
  version(signal: AbortSignal): Promise<string>;
  /** Rejects only with `cancelled`, `cli-missing` or `cli-output-invalid`, and as the last look did. */
  build(request: BuildRequest): Promise<BuildOutcome>;
  up(request: UpRequest): UpRun;
  /** Ends a process group that an earlier daemon began and left, if it is still that one. Gone is success. */
  endProcess(process: ProcessIdentity, signal: AbortSignal): Promise<void>;
  /** Merged configuration as the CLI computes it, for an existing container if its id is given. `cli-failed`. */
  readConfiguration(request: {
    readonly key: EntryKey;
    /** The devcontainer.json, as its strict reading gave it. With it the file is not read again. */
    readonly config?: Readonly<Record<string, unknown>> | undefined;
    readonly containerId?: string | undefined;
    readonly signal: AbortSignal;
  }): Promise<MergedConfiguration>;
}
