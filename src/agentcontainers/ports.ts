/**
 * What the library needs from the world. Each port has a real adapter and a published fake; adapters import from here,
 * never the other way round. Every call that can take time takes an AbortSignal and must settle soon after it aborts.
 */
import type { Instant } from '../clock/clock.ts';
import type { Container } from './model/container.ts';
import type { DisplayApp, SubAgentApp } from './model/customization.ts';
import type { ConfigError, EntryKey } from './model/devcontainer.ts';

// ---------------------------------------------------------------------------------------------------- engine

export interface EngineInfo {
  /** `docker`, `podman`, or what the engine calls itself. */
  readonly name: string;
  readonly version: string;
  /** The API version that was agreed on, e.g. `1.41`. */
  readonly apiVersion: string;
  readonly operatingSystem: string;
  readonly architecture: string;
}

export interface ContainerDetails {
  readonly id: string;
  readonly name: string;
  readonly image: string;
  readonly imageId: string;
  readonly state: Container['state'];
  readonly running: boolean;
  /** As {@link Container.status}, with the engine's error text, which a listing does not have. */
  readonly status?: string | undefined;
  readonly exitCode: number;
  readonly oomKilled: boolean;
  readonly error: string;
  /** More exact than a listing's, which counts in seconds. */
  readonly createdAt?: Instant | undefined;
  readonly startedAt?: Instant | undefined;
  readonly labels: Readonly<Record<string, string>>;
  /** The user of the image or of the create call; empty means root. */
  readonly user: string;
  readonly env: readonly string[];
  readonly mounts: Container['mounts'];
}

/** Engine words: `linux`, `amd64`, `arm64`, `arm`; variant `v7`, `v8`. */
export interface Platform {
  readonly operatingSystem: string;
  readonly architecture: string;
  readonly variant?: string | undefined;
}

export interface EngineEvent {
  readonly action: string;
  readonly containerId: string;
  readonly at: Instant;
  readonly labels: Readonly<Record<string, string>>;
}

export interface ExecSpec {
  readonly containerId: string;
  readonly argv: readonly string[];
  /** `KEY=value`. Values do not appear in the engine's events or in exec inspection. */
  readonly env?: readonly string[] | undefined;
  readonly user?: string | undefined;
  readonly workingDir?: string | undefined;
  /** Keep standard input open for writing. */
  readonly stdin?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface ExecExit {
  /** `null` when the engine could not tell, e.g. because the container is gone. */
  readonly exitCode: number | null;
  /** True when output was cut off although the main process had ended, since children of it hold the pipe. */
  readonly outputHeld: boolean;
}

/** One running command in a container. Aborting its signal ends the session; the process itself may outlive it. */
export interface ExecSession {
  readonly id: string;
  readonly stdout: AsyncIterable<Uint8Array>;
  readonly stderr: AsyncIterable<Uint8Array>;
  /** Rejects when the session has ended or stdin was not asked for. */
  write(data: Uint8Array | string): Promise<void>;
  closeStdin(): void;
  /** Settles once, when the main process has ended and its output was drained, or when the session is lost. Rejects with a typed error only when the command could not be started. */
  readonly exited: Promise<ExecExit>;
  /** Drops the stream. Idempotent. */
  close(): void;
}

export interface ArchiveStat {
  readonly name: string;
  readonly size: number;
  /** POSIX permission bits. */
  readonly mode: number;
  readonly isDirectory: boolean;
}

export interface ContainerEngine {
  /** Connects and negotiates. `engine-unreachable`, `engine-api-version`. */
  info(signal: AbortSignal): Promise<EngineInfo>;
  /** All containers, running or not, in one call. `labels` (`k` or `k=v`) are filtered by the engine and must all match. */
  listContainers(query: { readonly labels: readonly string[]; readonly signal: AbortSignal }): Promise<Container[]>;
  /** `engine-object-not-found`. */
  inspectContainer(id: string, signal: AbortSignal): Promise<ContainerDetails>;
  imagePlatform(image: string, signal: AbortSignal): Promise<Platform>;
  /**
   * Container events from `since` on (replayed, then live), except exec and health events; filtered by the engine.
   * Ends or throws when the connection does. `onOpen` is called when the request was sent.
   */
  events(query: { readonly since: Instant; readonly signal: AbortSignal }): AsyncIterable<EngineEvent>;
  /** Already running is success. */
  startContainer(id: string, signal: AbortSignal): Promise<void>;
  /** Already stopped, and gone, are success. `graceSeconds`: time between TERM and KILL. */
  stopContainer(id: string, options: { readonly graceSeconds: number; readonly signal: AbortSignal }): Promise<void>;
  /** Already gone is success; resolves when it is really gone, also when a removal was in progress. */
  removeContainer(
    id: string,
    options: { readonly volumes: boolean; readonly force: boolean; readonly signal: AbortSignal },
  ): Promise<void>;
  /** Networks that carry all these labels; those in use are left alone. */
  removeNetworks(query: { readonly labels: readonly string[]; readonly signal: AbortSignal }): Promise<void>;
  exec(spec: ExecSpec): Promise<ExecSession>;
  /** `undefined` when there is no such path. Works on stopped containers and needs no process in it. */
  statPath(containerId: string, path: string, signal: AbortSignal): Promise<ArchiveStat | undefined>;
  /** Extracts a tar stream at `path` inside the container. */
  putArchive(
    containerId: string,
    path: string,
    tar: Uint8Array | AsyncIterable<Uint8Array>,
    signal: AbortSignal,
  ): Promise<void>;
  /** The last lines of the container's own log. */
  containerLogTail(id: string, lines: number, signal: AbortSignal): Promise<string>;
  /** Closes pooled connections. */
  close(): Promise<void>;
}

// ------------------------------------------------------------------------------------------- devcontainer CLI

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

// --------------------------------------------------------------------------------------------- configuration

export type ConfigSnapshot =
  | {
      readonly kind: 'valid';
      /** SHA-256, hex, over the parsed value; comments, white space and key order do not count. */
      readonly fingerprint: string;
      /** SHA-256, hex, per top-level property; tells which property differs. */
      readonly properties: Readonly<Record<string, string>>;
      readonly config: Readonly<Record<string, unknown>>;
      readonly modifiedAt: Instant;
    }
  | { readonly kind: 'invalid'; readonly error: ConfigError }
  | { readonly kind: 'missing' };

/** Reads devcontainer.json files strictly, and finds out which files are the same. */
export interface ConfigFiles {
  /** Real paths of both; a path that does not exist is normalised and kept. `configPath` may be relative to the folder. */
  canonicalKey(
    workspaceFolder: string,
    configPath?: string | undefined,
  ): Promise<EntryKey | { readonly configPaths: readonly string[]; readonly folderExists: boolean }>;
  /** The real path of a directory, or `undefined`. */
  realDirectory(path: string): Promise<string | undefined>;
  /** At most 1 MiB; a larger one is `invalid`. */
  read(configPath: string): Promise<ConfigSnapshot>;
  /** Directories to watch so that every change of this config is seen: its own and those of symlinks it goes through. */
  watchDirectories(key: EntryKey): Promise<readonly string[]>;
}

// --------------------------------------------------------------------------------------------------- watcher

export interface DirectoryWatch {
  close(): void;
}

export interface Watcher {
  /**
   * Calls `onChange` after anything directly inside `directory` changed, appeared or vanished, and when the directory
   * itself vanishes or comes back. Level-triggered: several changes may come as one call. Equal directories share one
   * watch by reference count. Never throws: what cannot be watched is polled, with one warning.
   */
  watch(directory: string, onChange: () => void): DirectoryWatch;
  close(): Promise<void>;
}

// ----------------------------------------------------------------------------------------------- sub-agents

export type { DisplayApp, SubAgentApp };

export interface SubAgentSpec {
  readonly name: string;
  /** Container workspace folder. */
  readonly directory: string;
  readonly operatingSystem: string;
  readonly architecture: string;
  readonly displayApps: readonly DisplayApp[];
  readonly apps: readonly SubAgentApp[];
}

export interface SubAgentRecord extends SubAgentSpec {
  /** UUID given by the control plane. */
  readonly id: string;
  readonly parentId?: string | undefined;
}

/** The control plane, where sub-agents are registered. */
export interface SubAgentClient {
  list(signal: AbortSignal): Promise<SubAgentRecord[]>;
  /**
   * Registers a sub-agent and returns its token (a secret). With `id` the pre-assigned record is updated in place.
   * `sub-agent-name-taken`, `control-plane-unreachable`, `control-plane-refused`.
   */
  create(
    spec: SubAgentSpec & { readonly id?: string | undefined },
    signal: AbortSignal,
  ): Promise<{ readonly record: SubAgentRecord; readonly token: string }>;
  /** Already gone is success. */
  delete(id: string, signal: AbortSignal): Promise<void>;
}

/** An executable that can be a sub-agent on one platform. */
export interface SubAgentBinary {
  /** Base name inside the container; letters, digits, `.`, `_`, `-`. */
  readonly name: string;
  /** Host path. */
  readonly path: string;
  /** SHA-256 of the file, hex. */
  readonly sha256: string;
  /** Default `['agent']`. */
  readonly args?: readonly string[] | undefined;
  /** Default `['--version']`; run once after delivery as the target user, must exit 0. */
  readonly versionArgs?: readonly string[] | undefined;
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** Run as this user instead of the remote user: `root` or any other. */
  readonly user?: string | undefined;
  /** When its process counts as started: at once, or when a line on stdout begins with this text. Default: at once. */
  readonly readyLine?: string | undefined;
  /** With it, a process whose lines with this beginning stay away for `timeoutMs` is ended and started anew. */
  readonly heartbeat?:
    | {
        readonly line: string;
        readonly timeoutMs: number;
        /** Written to its stdin, with a line feed, after each of these lines: tells it that its daemon is alive. */
        readonly answer?: string | undefined;
      }
    | undefined;
}

/** Chooses the executable for a platform; `undefined` means that there is none for it. */
export interface SubAgentProvider {
  resolve(platform: Platform, signal: AbortSignal): Promise<SubAgentBinary | undefined>;
}

export interface DeliverRequest {
  readonly containerId: string;
  readonly binary: SubAgentBinary;
  /** As whom it will run; the version check runs as this user. */
  readonly user?: string | undefined;
  readonly signal: AbortSignal;
}

export interface Delivery {
  /** Absolute path inside the container. */
  readonly path: string;
  /** `present`: the file was there already with the right digest. */
  readonly way: 'present' | 'archive' | 'exec-stdin' | 'mount';
  /** First line of what the version call printed. */
  readonly version?: string | undefined;
}

export interface LaunchRequest {
  readonly containerId: string;
  readonly binary: SubAgentBinary;
  readonly path: string;
  readonly user?: string | undefined;
  readonly workingDir: string;
  /** Remote environment, then ours. Secrets are allowed here and nowhere else. */
  readonly env: Readonly<Record<string, string>>;
  /** Aborting this ends the process: asks, waits, drops. */
  readonly signal: AbortSignal;
}

export interface SubAgentExit {
  readonly reason:
    | 'exit'
    | 'signal'
    | 'oom'
    | 'container-gone'
    | 'heartbeat-lost'
    | 'not-ready'
    | 'stopped'
    | 'connection-lost';
  readonly exitCode: number | null;
  /** One readable sentence. */
  readonly message: string;
  readonly outputTail: string;
}

/** A supervised sub-agent process. */
export interface SubAgentProcess {
  readonly version?: string | undefined;
  /** Settles once and never rejects. */
  readonly exited: Promise<SubAgentExit>;
  /** Asks it to end, waits up to `graceMs`, then gives up. Idempotent. */
  stop(graceMs: number): Promise<void>;
}

/** Puts a sub-agent into a container and runs it there. */
export interface SubAgentLauncher {
  /** `sub-agent-delivery-failed`; `sub-agent-unsupported` when no retry can help, e.g. a script without its shell. */
  deliver(request: DeliverRequest): Promise<Delivery>;
  /** Resolves when the process is ready. `sub-agent-start-failed`. */
  launch(request: LaunchRequest): Promise<SubAgentProcess>;
}

// ------------------------------------------------------------------------------------- logs, state, identity

/** Build and lifecycle logs, one per devcontainer, append only. */
export interface LogSink {
  /** Current length in bytes. */
  size(devcontainerId: string): Promise<number>;
  append(devcontainerId: string, text: string): void;
  /** From `offset` to the end, and on while `follow`, until `signal` aborts. */
  read(
    devcontainerId: string,
    query: { readonly offset: number; readonly follow: boolean; readonly signal: AbortSignal },
  ): AsyncIterable<{ readonly offset: number; readonly text: string }>;
  remove(devcontainerId: string): Promise<void>;
}

/** What survives a restart. Everything in it is optional on load: a damaged or older file must not stop the start. */
export interface PersistedState {
  readonly version: 1;
  readonly entries: readonly PersistedEntry[];
  readonly operations: readonly PersistedOperation[];
}

export interface PersistedEntry {
  readonly id: string;
  readonly workspaceFolder: string;
  readonly configPath: string;
  readonly name?: string | undefined;
  /** A person asked for it, so it is listed also without a container. */
  readonly adopted: boolean;
  /** Containers whose fingerprint is known. `ours`: we made it. */
  readonly made: readonly {
    readonly containerId: string;
    readonly fingerprint: string;
    readonly properties: Readonly<Record<string, string>>;
    readonly ours: boolean;
  }[];
  /** An `up` that was under way when this was written: a container not in `knownContainers` was made by it. */
  readonly intent?:
    | {
        readonly operationId: string;
        readonly fingerprint: string;
        readonly properties: Readonly<Record<string, string>>;
        readonly since: Instant;
        readonly knownContainers: readonly string[];
      }
    | undefined;
}

export interface PersistedOperation {
  readonly id: string;
  readonly devcontainerId: string;
  readonly kind: string;
  readonly status: string;
  readonly phase: string;
  readonly startedAt: Instant;
  readonly endedAt?: Instant | undefined;
  readonly error?: string | undefined;
  readonly logOffset: number;
}

export interface StateStorage {
  load(): Promise<PersistedState | undefined>;
  /** Atomic; calls never overlap. */
  save(state: PersistedState): Promise<void>;
}

/** Random UUIDs: an input, so that tests can predict them. */
export type NewId = () => string;
