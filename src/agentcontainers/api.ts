import type { Operation } from './model/operation.ts';
import type { Devcontainer, ListResult } from './model/view.ts';
import type { DirtyReason } from './model/devcontainer.ts';
import type { VolumesOption } from './model/intent.ts';
import type { BashRequest, BashResult } from './bash/run-bash.ts';
import type { PortForward } from './model/forward.ts';
import type { ContainerRuntime, ExecSession, ExecSpec, HookName, Via } from './ports.ts';

export type { Operation, OperationKind, OperationStatus, OperationStep } from './model/operation.ts';
export type { BashRequest, BashResult } from './bash/run-bash.ts';
export type { DirtyReason } from './model/devcontainer.ts';
export type { PortForward } from './model/forward.ts';
export type { Holder } from './model/holder.ts';
export type { VolumesOption } from './model/intent.ts';
export type { Finding, FindingKind, Trust, Verdict } from './model/verdict.ts';
export type { AgentStatus, AgentView, Devcontainer, ListedContainer, ListResult } from './model/view.ts';

/** The answer to an accepted command. */
export interface OperationReceipt {
  readonly operation: Operation;
  /** False when there was nothing to do, so that the operation had ended before it began. */
  readonly started: boolean;
  /** Resolves when the operation has ended, well or badly. Never rejects. */
  readonly done: Promise<Operation>;
}

export interface RecreateOptions {
  /** Also while somebody uses it: a terminal, a command, a sub-agent that says that it is busy. */
  readonly force?: boolean | undefined;
}

/** What a command would do, without doing it. */
export interface RemovalPlan {
  /** Names of containers that would be stopped and removed, the devcontainer's own first. */
  readonly containers: readonly string[];
  readonly volumes: readonly string[];
  readonly networks: readonly string[];
  /** The entry itself goes, or stays as `stopped` because it is known for another reason. */
  readonly entryGoes: boolean;
}

/** One input of a configuration that is not what the container was made from. */
export interface InputDifference extends DirtyReason {
  /** Content the container was made from; `undefined` when there was none, or when it is not known any more. */
  readonly before?: string | undefined;
  /** Content now. Values of names that sound like secrets are replaced in both. */
  readonly after?: string | undefined;
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

export interface ForwardRequest {
  /** In the container, or of `host`. */
  readonly port: number;
  /** As seen from the container: a name or an address of at most 253 characters. Default `127.0.0.1`. */
  readonly host?: string | undefined;
  /** On 127.0.0.1. Default: the same number as `port` where that is free and above 1023, else any that is free. */
  readonly hostPort?: number | undefined;
}

/**
 * What runs in the container of one devcontainer. Each call goes to the resident there, waits for one that is being
 * started, and goes through the engine's exec where none can run: what is answered says `via`. All reject with
 * `devcontainer-not-found`, `devcontainer-not-adopted`, `devcontainer-not-running`; what only a resident can do with
 * `runtime-unavailable`.
 */
export interface DevcontainerRuntime extends Omit<ContainerRuntime, 'via'> {
  /** Who serves it now. */
  via(signal?: AbortSignal): Promise<Via>;
  /** Runs one command as agents do, see {@link BashRequest}. `invalid-request` for a blank one or a time-out out of range. */
  bash(request: BashRequest, signal?: AbortSignal): Promise<BashResult>;
  /**
   * Makes a port reachable from the host, on 127.0.0.1 only. Lasts, with its host port, over a recreate, restarts of the
   * container and, with a `storage` that lasts, of the library, until it is ended or the devcontainer is removed. The same one asked for again is the
   * same forward. Connections are taken also while the container does not run, and then closed at once.
   *
   * `invalid-request` for a port or host that is none, and for more than 64 of a devcontainer; `port-taken` for a host port
   * that is in use, `listen-failed` for one that may not be used; `runtime-unavailable` where no resident runs.
   */
  forward(request: ForwardRequest, signal?: AbortSignal): Promise<PortForward>;
  /** Also while its container does not run. Oldest first. */
  forwards(): Promise<readonly PortForward[]>;
  /** Ends its connections, too. `forward-not-found`. */
  endForward(forwardId: string): Promise<void>;
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
  /**
   * Makes its container anew: builds first, exchanges then, and brings the old container back when the new one does not
   * come up. `devcontainer-transitioning` while a job owns the entry, `devcontainer-busy` while somebody uses it,
   * unless `force`; `devcontainer-not-trusted`.
   */
  recreate(id: string, options?: RecreateOptions): Promise<OperationReceipt>;
  /** The same by container id (or unique prefix) or name. `container-not-found`, `workspace-folder-label-missing`, `recreation-in-progress`. */
  recreateByContainer(container: string, options?: RecreateOptions): Promise<OperationReceipt>;
  startDevcontainer(id: string): Promise<OperationReceipt>;
  stopDevcontainer(id: string): Promise<OperationReceipt>;
  restartDevcontainer(id: string): Promise<OperationReceipt>;
  /**
   * Stops and removes container and sub-agent. Resolves when the entry is gone; goes on when the caller leaves.
   * @param options.volumes default `none`
   */
  remove(id: string, options?: { readonly volumes?: VolumesOption | undefined }): Promise<void>;
  /** What `remove` would remove, with the same options. Changes nothing. */
  planRemoval(id: string, options?: { readonly volumes?: VolumesOption | undefined }): Promise<RemovalPlan>;
  /** Runs a lifecycle command of its configuration again in its container. `devcontainer-not-running`. */
  rerunHook(id: string, hook: HookName): Promise<OperationReceipt>;

  /**
   * Accepts what the configuration can do to the host, as long as it stays the same.
   * @param hash that of the verdict that the person has seen; another one is refused with `verdict-changed`
   */
  trust(id: string, hash: string): Promise<void>;
  /** Takes that back. `verdict-changed` when another verdict is trusted than the one with this hash, if one is given. */
  revokeTrust(id: string, hash?: string): Promise<void>;
  /** How the configuration now differs from the one that the container was made from, input by input. */
  diff(id: string): Promise<readonly InputDifference[]>;

  operation(operationId: string): Promise<Operation>;
  /** Build and lifecycle log of a devcontainer, oldest first. */
  logs(id: string, query?: LogQuery): AsyncIterable<LogChunk>;

  /** Commands, processes, terminals, files and ports in its container. Nothing is asked before a call on it. */
  devcontainer(id: string): DevcontainerRuntime;

  /**
   * An exec of the engine, as it is, in the devcontainer's container; as its remote user in its workspace folder unless said
   * otherwise. It has the container's environment alone, and nobody ends its tree: see {@link devcontainer} for commands. `devcontainer-not-running`, `devcontainer-not-adopted`.
   */
  exec(id: string, spec: Omit<ExecSpec, 'containerId'>): Promise<ExecSession>;
}
