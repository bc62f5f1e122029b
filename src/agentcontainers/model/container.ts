import type { Instant } from './time.ts';

/** The engine's own states of a container. */
export type ContainerState = 'created' | 'restarting' | 'running' | 'removing' | 'paused' | 'exited' | 'dead';

export interface ContainerPort {
  /** Port inside the container. */
  readonly port: number;
  readonly network: 'tcp' | 'udp' | 'sctp';
  readonly hostIp?: string | undefined;
  readonly hostPort?: number | undefined;
}

/** A mount as a listing shows it. */
export interface ContainerMount {
  readonly type: string;
  /** Host path (bind) or volume name. */
  readonly source: string;
  readonly destination: string;
  readonly writable: boolean;
}

/** An engine object as one listing saw it. */
export interface Container {
  readonly id: string;
  /** Without the engine's leading slash. */
  readonly name: string;
  readonly image: string;
  readonly imageId: string;
  readonly labels: Readonly<Record<string, string>>;
  /** In whole seconds, unless `startedAt` is known too. */
  readonly createdAt: Instant;
  readonly state: ContainerState;
  readonly running: boolean;
  /** `running`, `exited successfully`, `exited with code N`; `: <error>` follows when there is one. */
  readonly status: string;
  /** When the present or last run began; known of containers that were inspected. Tells a restarted container from one that was never restarted. */
  readonly startedAt?: Instant | undefined;
  readonly ports: readonly ContainerPort[];
  readonly mounts: readonly ContainerMount[];
  /** Raw port texts that could not be understood. */
  readonly portWarnings: readonly string[];
}

export const LABEL = {
  localFolder: 'devcontainer.local_folder',
  configFile: 'devcontainer.config_file',
  metadata: 'devcontainer.metadata',
  isTestRun: 'devcontainer.is_test_run',
  composeProject: 'com.docker.compose.project',
  composeService: 'com.docker.compose.service',
  composeFolder: 'com.docker.compose.project.working_dir',
  /** Ours: id of the operation that made the container. */
  generation: 'agentcontainers.generation',
  /** Ours: the fingerprint it was made from. */
  fingerprint: 'agentcontainers.fingerprint',
  /** Ours: over the labels above and the CLI's two. */
  signature: 'agentcontainers.signature',
  /** Ours: on an image that holds the file system of a container that is being exchanged. */
  backup: 'agentcontainers.backup',
} as const;
