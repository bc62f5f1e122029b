import type { Operation } from './model/operation.ts';
import type { Devcontainer, ListResult } from './model/view.ts';
import type { ExecSession, ExecSpec } from './ports.ts';

export type { Operation, OperationKind, OperationStatus } from './model/operation.ts';
export type { AgentStatus, AgentView, Devcontainer, ListedContainer, ListResult } from './model/view.ts';

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
