import type { Instant } from '../clock/clock.ts';
import type { Container } from './model/container.ts';
import type { Candidate, ConfigError, Degraded, DevcontainerStatus, DirtyReason, Level } from './model/devcontainer.ts';
import type { ExecSession, ExecSpec } from './ports.ts';

export type AgentStatus = 'starting' | 'running' | 'failed' | 'exited' | 'unsupported';

/** What the outside sees of the sub-agent of a devcontainer. */
export interface AgentView {
  /** Id of its record at the control plane; `null` while there is none. */
  readonly id: string | null;
  readonly name: string;
  /** Container workspace folder. */
  readonly directory: string;
  readonly status: AgentStatus;
  readonly reason?: string | undefined;
  readonly version?: string | undefined;
  readonly startedAt?: Instant | undefined;
}

/** What the outside sees of one devcontainer: a projection of the store. */
export interface Devcontainer {
  /** Stable over daemon restarts: a name-based UUID of (real workspace folder, real config path). */
  readonly id: string;
  readonly name: string;
  readonly workspaceFolder: string;
  readonly configPath?: string | undefined;
  readonly status: DevcontainerStatus;
  readonly dirty: boolean;
  readonly level: Level;
  /** Always true until trust is recorded per entry; see docs/design/decisions.md. */
  readonly trusted: boolean;
  readonly subAgentId: string | null;
  readonly container?: Container | undefined;
  readonly agent?: AgentView | undefined;
  /** Lifecycle error, else sub-agent error; one readable text. */
  readonly error?: string | undefined;
  readonly degraded?: readonly Degraded[] | undefined;
  readonly dirtyReasons?: readonly DirtyReason[] | undefined;
  readonly configError?: ConfigError | undefined;
  readonly candidates?: readonly Candidate[] | undefined;
  /** The operation that owns the entry now, if any. */
  readonly operationId?: string | undefined;
}

export interface ListedContainer extends Container {
  readonly level?: Level | undefined;
  readonly devcontainerId?: string | undefined;
}

export interface ListResult {
  /** Sorted by workspace folder, then config path. */
  readonly devcontainers: readonly Devcontainer[];
  readonly containers: readonly ListedContainer[];
  readonly warnings: readonly string[];
}

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

/** The answer to an accepted command. */
export interface OperationReceipt {
  readonly operation: Operation;
  /** False when there was nothing to do, so that the operation had ended before it began. */
  readonly started: boolean;
  /** Resolves when the operation has ended, well or badly. Never rejects. */
  readonly done: Promise<Operation>;
}

export interface LogChunk {
  /** Offset, in bytes, of the first byte of `text` in the log of this devcontainer. */
  readonly offset: number;
  readonly text: string;
}

export interface LogQuery {
  /** Start here instead of at the beginning. Bytes. */
  readonly offset?: number | undefined;
  /** Go on until `signal` aborts, instead of ending at what is there now. */
  readonly follow?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * The library. Every method but `start` and `close` waits for the first pass to have ended, well or badly, and
 * rejects with `api-closed` after `close()`.
 */
export interface AgentContainers {
  /** Begins the loops. Resolves when the first pass has ended, well or badly. */
  start(): Promise<void>;
  /** Ends everything that was begun, deletes sub-agent records. One memoised promise. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;

  /**
   * What the store holds. Rejects with `list-failed` while the last pass failed.
   * @param query.labels `k` or `k=v`; containers (and devcontainers linked to one) must match all of them.
   */
  list(query?: { readonly labels?: readonly string[] }): Promise<ListResult>;
  /** One entry, with candidates and dirty reasons. `devcontainer-not-found`. */
  get(id: string): Promise<Devcontainer>;
  /** Waits for a pass that starts after this call. Rejects with `list-failed` when that pass fails. */
  refresh(): Promise<void>;
  /** Calls `listener` with the new projection after each visible change, until the returned function is called. */
  subscribe(listener: (list: ListResult) => void): () => void;

  /** Adopts the folder and brings it up. `folder-not-found`, `config-not-found`, `config-ambiguous`, `config-invalid`. */
  create(request: {
    readonly workspaceFolder: string;
    readonly configPath?: string | undefined;
  }): Promise<OperationReceipt>;
  /** Makes its container anew. `devcontainer-transitioning` while a job owns the entry. */
  recreate(id: string): Promise<OperationReceipt>;
  /** The same by container id (or unique prefix) or name. `container-not-found`, `workspace-folder-label-missing`, `recreation-in-progress`. */
  recreateByContainer(container: string): Promise<OperationReceipt>;
  startDevcontainer(id: string): Promise<OperationReceipt>;
  stopDevcontainer(id: string): Promise<OperationReceipt>;
  restartDevcontainer(id: string): Promise<OperationReceipt>;
  /** Stops and removes container and sub-agent. Resolves when the entry is gone; goes on when the caller leaves. */
  remove(id: string, options?: { readonly volumes?: boolean }): Promise<void>;

  operation(operationId: string): Promise<Operation>;
  /** Build and lifecycle log of a devcontainer, oldest first. */
  logs(id: string, query?: LogQuery): AsyncIterable<LogChunk>;

  /**
   * Runs a command in the devcontainer's container through the engine, as its remote user in its workspace folder
   * unless said otherwise. `devcontainer-not-running`, `devcontainer-not-adopted`.
   */
  exec(id: string, spec: Omit<ExecSpec, 'containerId'>): Promise<ExecSession>;
}
