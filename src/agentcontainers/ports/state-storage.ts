import type { Instant } from '../../clock/clock.ts';
import type { KnownForward } from '../model/forward.ts';
import type { Intent } from '../model/intent.ts';
import type { Finding, Trust } from '../model/verdict.ts';

/** What survives a restart. Everything in it is optional on load: a damaged or older file must not stop the start. */
export interface PersistedState {
  readonly version: 1;
  readonly entries: readonly PersistedEntry[];
  readonly operations: readonly PersistedOperation[];
  /** Of entries that are not listed any more, the oldest first. */
  readonly remembered?: readonly PersistedMemory[] | undefined;
  /** Which compose project was made for which entry; the latest last. */
  readonly projects?: readonly PersistedProject[] | undefined;
}

export interface PersistedProject {
  /** Of the entry, which may be gone. */
  readonly id: string;
  readonly name: string;
}

/** What people have said of an entry, for when it is found again. */
export interface PersistedMemory {
  readonly id: string;
  readonly stopped?: boolean | undefined;
  readonly trust?: Trust | undefined;
  readonly imageFindings?: readonly Finding[] | undefined;
}

export interface PersistedEntry {
  readonly id: string;
  readonly workspaceFolder: string;
  readonly configPath: string;
  readonly name?: string | undefined;
  /** A person asked for it, so it is listed also without a container. */
  readonly adopted: boolean;
  /** Its configuration was found below a root; what else is here holds until it is looked for again. */
  readonly discovered?: boolean | undefined;
  /** The last known opt-out of the configuration; holds while the file cannot be read. */
  readonly ignored?: boolean | undefined;
  /** Containers whose fingerprint is known. `ours`: we made it. */
  readonly made: readonly {
    readonly containerId: string;
    readonly fingerprint: string;
    readonly inputs: Readonly<Record<string, string>>;
    readonly ours: boolean;
  }[];
  /** A job that was under way when this was written. */
  readonly intent?: Intent | undefined;
  readonly trust?: Trust | undefined;
  /** What the image asks for that was built last. */
  readonly imageFindings?: readonly Finding[] | undefined;
  /** Operations that were given up: containers of theirs are removed. */
  readonly abandoned?: readonly string[] | undefined;
  /** Ports of the host that lead into it. */
  readonly forwards?: readonly KnownForward[] | undefined;
  /** A person stopped it: it is not started again by itself. */
  readonly stopped?: boolean | undefined;
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
  readonly steps?:
    | readonly { readonly name: string; readonly startedAt: Instant; readonly endedAt?: Instant | undefined }[]
    | undefined;
}

export interface StateStorage {
  load(): Promise<PersistedState | undefined>;
  /** Atomic; calls never overlap. */
  save(state: PersistedState): Promise<void>;
  /** Keeps the contents that a fingerprint stands for, to show later what differs. The same fingerprint twice is one. */
  saveContents(fingerprint: string, contents: Readonly<Record<string, string>>): Promise<void>;
  /** `undefined` when they are not known. */
  loadContents(fingerprint: string): Promise<Readonly<Record<string, string>> | undefined>;
  /** Drops the contents of all other fingerprints. */
  keepContents(fingerprints: ReadonlySet<string>): Promise<void>;
}
