import type { Instant } from '../../clock/clock.ts';

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
  /** The last known opt-out of the configuration; holds while the file cannot be read. */
  readonly ignored?: boolean | undefined;
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
