import type { Container } from './container.ts';
import type {
  Agent,
  Candidate,
  ConfigError,
  Degraded,
  EntryKey,
  JobId,
  Level,
  Phase,
  SubAgentRecordInfo,
} from './devcontainer.ts';
import type { Operation } from './operation.ts';
import type { Instant } from './time.ts';

/** The fingerprint a container was made from. `ours`: this daemon made it, so its devcontainer is managed. */
export interface MadeFrom {
  readonly containerId: string;
  readonly fingerprint: string;
  readonly properties: Readonly<Record<string, string>>;
  readonly ours: boolean;
}

/** What an `up` set out from. A container that was not there before it was made by it. */
export interface Intent {
  readonly operationId: JobId;
  readonly fingerprint: string;
  readonly properties: Readonly<Record<string, string>>;
  readonly since: Instant;
  readonly knownContainers: readonly string[];
}

/** The end of an `up` that waits for a pass to see what became of the container. */
export type Settling =
  | { readonly kind: 'ready' }
  | { readonly kind: 'succeeded'; readonly containerId: string }
  | {
      readonly kind: 'failed';
      readonly containerId?: string | undefined;
      readonly message: string;
      readonly degraded: Degraded;
      readonly failedAt: Instant;
    };

/** Kept under its owner: an agent error never erases this one, and this one never an agent error. */
export interface LifecycleError {
  readonly message: string;
  readonly degraded: readonly Degraded[];
}

export interface KnownConfig {
  /** It names compose files, so its container is one service of a project. */
  readonly isCompose?: boolean | undefined;
  readonly fingerprint: string;
  readonly properties: Readonly<Record<string, string>>;
  readonly modifiedAt: Instant;
}

export interface Entry {
  /** Name-based UUID of the key. */
  readonly id: string;
  readonly key: EntryKey;
  /** `created`: a person asked for it. `manifest`: the embedder did; stays when deleted. */
  readonly origin: 'manifest' | 'created' | 'seen';
  readonly level: Level;
  readonly name: string;
  /** `chosen`: by the user in the configuration, so never altered. */
  readonly nameSource: 'folder' | 'chosen';
  /** The name that the embedder's manifest gives; one in the configuration goes before it. */
  readonly manifestName?: string | undefined;
  /** Counter of the last lifecycle change; an observation that began before it does not touch the entry. */
  readonly revision: number;
  readonly phase: Phase;
  readonly settling?: Settling | undefined;
  /** The `up` whose later hooks still run. */
  readonly tail?: JobId | undefined;
  readonly link?: Container | undefined;
  readonly candidates: readonly Candidate[];
  readonly lifecycleError?: LifecycleError | undefined;
  readonly agent: Agent;
  readonly record?: SubAgentRecordInfo | undefined;
  /** A record made by the embedder: updated in place, never deleted. */
  readonly preassignedRecordId?: string | undefined;
  readonly config?: KnownConfig | undefined;
  readonly configError?: ConfigError | undefined;
  /** The last good value; a file that cannot be read does not change it. */
  readonly ignored: boolean;
  readonly made: readonly MadeFrom[];
  readonly intent?: Intent | undefined;
}

/** What never changes while the library runs. */
export interface Settings {
  readonly adopt: 'roots' | 'all' | 'none';
  readonly injectSubAgents: boolean;
}

export type Observation =
  | { readonly status: 'none' }
  | { readonly status: 'ok'; readonly at: Instant }
  | { readonly status: 'failed'; readonly message: string; readonly at: Instant };

export interface State {
  readonly settings: Settings;
  readonly lifecycle: 'open' | 'closing' | 'closed';
  readonly revision: number;
  readonly entries: ReadonlyMap<string, Entry>;
  /** Revision at which an entry was removed, until an observation that began later has come. */
  readonly tombstones: ReadonlyMap<string, number>;
  readonly containers: readonly Container[];
  /** Entry and level of each container that claims to be a dev container. */
  readonly claims: ReadonlyMap<string, string>;
  readonly observation: Observation;
  readonly operations: ReadonlyMap<string, Operation>;
}

export function initialState(settings: Settings): State {
  return {
    settings,
    lifecycle: 'open',
    revision: 0,
    entries: new Map(),
    tombstones: new Map(),
    containers: [],
    claims: new Map(),
    observation: { status: 'none' },
    operations: new Map(),
  };
}

/** Identity of one run of a container: another after a restart, another for another container. */
export function runOf(container: Container): string {
  return `${container.id}@${container.startedAt ?? ''}`;
}

/** A start time that could not be asked for tells nothing: then the container decides. */
export function isSameRun(a: string, b: string): boolean {
  if (a === b) return true;
  const [[idA, startA], [idB, startB]] = [a.split('@'), b.split('@')];
  return idA === idB && (startA === '' || startB === '');
}

export function isTransitioning(phase: Phase): boolean {
  return phase.status === 'starting' || phase.status === 'stopping' || phase.status === 'deleting';
}

export function withEntry(state: State, entry: Entry): State {
  if (state.entries.get(entry.id) === entry) return state;
  return { ...state, entries: new Map(state.entries).set(entry.id, entry) };
}

/** The same, and a lifecycle change: observations that began before it are stale for this entry. */
export function withChangedEntry(state: State, entry: Entry): State {
  const revision = state.revision + 1;
  return withEntry({ ...state, revision }, { ...entry, revision });
}
