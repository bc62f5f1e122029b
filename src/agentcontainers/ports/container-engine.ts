import type { Instant } from '../../clock/clock.ts';
import type { Container } from '../model/container.ts';

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
  /** As its `HOSTNAME` tells it, unless `env` sets another one. */
  readonly hostname?: string | undefined;
  readonly mounts: Container['mounts'];
}

/** Engine words: `linux`, `amd64`, `arm64`, `arm`; variant `v7`, `v8`. */
export interface Platform {
  readonly operatingSystem: string;
  readonly architecture: string;
  readonly variant?: string | undefined;
}

export interface ImageDetails {
  readonly id: string;
  readonly platform: Platform;
  readonly labels: Readonly<Record<string, string>>;
}

/** Everything by which a container can be made anew; opaque, and fit for a file. */
export type ContainerBlueprint = string;

/** What an image that we made ourselves is for. */
export interface ImageLabels {
  readonly labels: Readonly<Record<string, string>>;
}

export interface EngineEvent {
  /** `image`: a reference may mean another image now. */
  readonly type: 'container' | 'image';
  readonly action: string;
  /** Of the container, or the image's id or reference. */
  readonly subjectId: string;
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
   * Container events (without exec and health events) and image events (pull, load, import, tag, untag, delete) from
   * `since` on (replayed, then live); filtered by the engine.
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
  /** By reference or id; `undefined` when the engine does not have it. */
  inspectImage(image: string, signal: AbortSignal): Promise<ImageDetails | undefined>;
  renameContainer(id: string, name: string, signal: AbortSignal): Promise<void>;
  /** What a container was made from, without its file system. */
  describeContainer(id: string, signal: AbortSignal): Promise<ContainerBlueprint>;
  /** A new image with the container's file system as it is now; its id. The container is paused meanwhile. */
  commitContainer(id: string, image: ImageLabels, signal: AbortSignal): Promise<string>;
  /** Makes a container, with the name, mounts and networks of the blueprint, from this image; its id. Not started. */
  createContainer(blueprint: ContainerBlueprint, imageId: string, signal: AbortSignal): Promise<string>;
  /** Gone, and in use, are success. */
  removeImage(id: string, signal: AbortSignal): Promise<void>;
  /** Ids of images that carry all these labels, e.g. to find those that `commitContainer` made. */
  listImages(query: { readonly labels: readonly string[]; readonly signal: AbortSignal }): Promise<string[]>;
  /** Names of volumes that carry all these labels. */
  listVolumes(query: { readonly labels: readonly string[]; readonly signal: AbortSignal }): Promise<string[]>;
  /** Gone, and in use by another container, are success; `false` when it is in use. */
  removeVolume(name: string, signal: AbortSignal): Promise<boolean>;
  /** Names of networks that carry all these labels. */
  listNetworks(query: { readonly labels: readonly string[]; readonly signal: AbortSignal }): Promise<string[]>;
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
