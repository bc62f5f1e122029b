import type { ComposeProject } from './compose-project.ts';
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
import type { PortForward } from './forward.ts';
import type { Holder } from './holder.ts';
import type { Intent } from './intent.ts';
import type { Operation } from './operation.ts';
import type { RememberedEntry } from './remembered.ts';
import type { Instant } from './time.ts';
import { isAccepted, permissionOf, type Finding, type Permission, type Trust, type Verdict } from './verdict.ts';

/** The fingerprint a container was made from. `ours`: this daemon made it, so its devcontainer is managed. */
export interface MadeFrom {
  readonly containerId: string;
  readonly fingerprint: string;
  readonly inputs: Readonly<Record<string, string>>;
  readonly ours: boolean;
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
  /** Its container is made by compose, as one service of a project. */
  readonly isCompose?: boolean | undefined;
  /** Set with it. */
  readonly compose?: ComposeProject | undefined;
  /** Its container is made straight from this image: there is nothing to build when the engine has it. */
  readonly plainImage?: string | undefined;
  readonly fingerprint: string;
  readonly inputs: Readonly<Record<string, string>>;
  readonly modifiedAt: Instant;
  /** What of its files could not be looked at; one readable sentence each. */
  readonly problems?: readonly string[] | undefined;
}

export interface Entry {
  /** Name-based UUID of the key. */
  readonly id: string;
  readonly key: EntryKey;
  /**
   * `created`: a person asked for it. `manifest`: the embedder did. `discovered`: its configuration lies under a root.
   * The last two stay when deleted.
   */
  readonly origin: 'manifest' | 'created' | 'discovered' | 'seen';
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
  /** What its configuration can do to the host; unknown until it was read. */
  readonly verdict?: Verdict | undefined;
  /** What the image asks for that was built last; part of the verdict. */
  readonly imageFindings: readonly Finding[];
  readonly trust?: Trust | undefined;
  /** Who uses it now. */
  readonly holders: readonly Holder[];
  /** Kept over every change of its container; gone when it is deleted. */
  readonly forwards: readonly PortForward[];
  /** The configuration asks to be started by itself. */
  readonly autoStart: boolean;
  /** Operations that were given up: what a process of theirs, which outlived its daemon, still makes is removed. */
  readonly abandoned: readonly string[];
  /** A person stopped it: it is not started by itself any more. */
  readonly stoppedByPerson: boolean;
  /** It was started by itself, or ran without that: it is not started by itself again while the library lives. */
  readonly autoStarted?: boolean | undefined;
  /** The verdict of which it was said that nobody has accepted it, so that it is not started by itself. */
  readonly autoStartAsked?: string | undefined;
}

/** What never changes while the library runs. */
export interface Settings {
  readonly adopt: 'roots' | 'all' | 'none';
  readonly injectSubAgents: boolean;
  /** `all`: what a configuration can do to the host needs nobody's trust. */
  readonly trust: 'ask' | 'all';
  readonly autoStart: boolean;
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
  /** Of entries that left the list, the oldest first. */
  readonly remembered: ReadonlyMap<string, RememberedEntry>;
  /**
   * The compose project that was made for an entry, by its id; the latest last. It outlives the entry: volumes of the
   * project may have been left.
   */
  readonly projects: ReadonlyMap<string, string>;
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
    remembered: new Map(),
    projects: new Map(),
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

/** What an `up` of this entry may do to the host, as far as is known. */
export function permissionOfEntry(state: State, entry: Entry): Permission {
  return state.settings.trust === 'all' ? 'all' : permissionOf(entry.verdict, entry.trust);
}

/** Whether it may be started by itself: somebody has accepted what it can do to the host, be that nothing. */
export function mayStartByItself(state: State, entry: Entry): boolean {
  return entry.verdict !== undefined && (state.settings.trust === 'all' || isAccepted(entry.verdict, entry.trust));
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
