import type { DisplayApp, SubAgentApp } from '../model/customization.ts';
import type { Platform } from './container-engine.ts';
import type { ContainerRuntime } from './container-runtime.ts';
import type { ReadOnlyMount } from './devcontainer-cli.ts';

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
  /** `resident`: it speaks the resident's protocol, and has a {@link SubAgentProcess.runtime}. Default: lines on its output. */
  readonly protocol?: 'resident' | undefined;
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
  /** With it, a line with the beginning `busy` reports what it is busy with, and one with `idle` that it is not. */
  readonly busyLines?: { readonly busy: string; readonly idle: string } | undefined;
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
  /**
   * `mounted`: it is on the host, in the directory that we mounted when we made the container. `present`: the file was
   * there already with the right digest. `mount`: put into a mount that was found in the container.
   */
  readonly way: 'mounted' | 'present' | 'archive' | 'exec-stdin' | 'mount';
  /** First line of what the version call printed. */
  readonly version?: string | undefined;
}

export interface LaunchRequest {
  readonly containerId: string;
  readonly binary: SubAgentBinary;
  readonly path: string;
  readonly user?: string | undefined;
  readonly workingDir: string;
  /** The whole environment: remote, then the binary's, then ours. Secrets are allowed here and nowhere else. */
  readonly env: Readonly<Record<string, string>>;
  /**
   * Asked for once, when the process is ready, where commands run under it: what they get from then on instead of `env`,
   * or `undefined` when that stays. Commands wait for it, so it takes a bounded time. Never rejects; aborting `signal`
   * means that nobody waits any more.
   */
  readonly commandEnv?: ((signal: AbortSignal) => Promise<Readonly<Record<string, string>> | undefined>) | undefined;
  /** Takes what it writes, line by line, apart from heartbeats; bounded, and safe to show. */
  readonly onOutput?: ((line: string) => void) | undefined;
  /** Told what it is busy with, and `undefined` when it is not any more. */
  readonly onBusy?: ((reason: string | undefined) => void) | undefined;
  /** Aborting this ends the process: asks, waits, kills. */
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
  /** Asks it to end on stdin, by TERM after half of `graceMs`, and kills it with what it started after all of it. Idempotent. */
  stop(graceMs: number): Promise<void>;
  /** Tells now what it is busy with; it may have waited so that not everything is told. Absent where it never waits. */
  tellBusy?(): void;
  /** Lets go of it: it runs on with all that runs under it, and a later launch adopts it. Absent where it cannot be. */
  detach?(): Promise<void>;
  /** What runs in its container. Absent where it serves none. */
  readonly runtime?: ContainerRuntime | undefined;
}

/** Puts a sub-agent into a container and runs it there. */
export interface SubAgentLauncher {
  /**
   * A directory of the host to mount read-only into each container that is made, so that nothing has to be copied into
   * it. `undefined` when there is none, or when it was seen not to work with this engine.
   */
  readOnlyMount(signal: AbortSignal): Promise<ReadOnlyMount | undefined>;
  /** `sub-agent-delivery-failed`; `sub-agent-unsupported` when no retry can help, e.g. a script without its shell. */
  deliver(request: DeliverRequest): Promise<Delivery>;
  /** Resolves when the process is ready. `sub-agent-start-failed`. */
  launch(request: LaunchRequest): Promise<SubAgentProcess>;
}
