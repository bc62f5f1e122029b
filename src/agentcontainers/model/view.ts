import { LABEL, type Container } from './container.ts';
import type { Candidate, ConfigError, Degraded, DevcontainerStatus, DirtyReason, Level } from './devcontainer.ts';
import { dirtyReasons } from './fingerprint.ts';
import { ownerOf } from './container-owner.ts';
import { reuse } from './equality.ts';
import { boundPorts, portWarnings } from './port-list.ts';
import { permissionOfEntry, type Entry, type State } from './state.ts';
import type { Instant } from './time.ts';
import type { PortForward } from './forward.ts';
import type { Holder } from './holder.ts';
import type { Trust, Verdict } from './verdict.ts';

export type AgentStatus = 'starting' | 'running' | 'failed' | 'exited' | 'unsupported';

/** What the outside sees of the sub-agent of a devcontainer. */
export interface AgentView {
  /** Id of its record at the control plane; `null` while there is none. */
  readonly id: string | null;
  readonly name: string;
  /** Container workspace folder. */
  readonly directory: string;
  readonly status: AgentStatus;
  readonly reason?: string | undefined;
  readonly version?: string | undefined;
  readonly startedAt?: Instant | undefined;
}

/** What the outside sees of one devcontainer: a projection of the store. */
export interface Devcontainer {
  /** Stable over daemon restarts: a name-based UUID of (real workspace folder, real config path). */
  readonly id: string;
  readonly name: string;
  readonly workspaceFolder: string;
  readonly configPath?: string | undefined;
  readonly status: DevcontainerStatus;
  readonly dirty: boolean;
  readonly level: Level;
  readonly subAgentId: string | null;
  readonly container?: Container | undefined;
  readonly agent?: AgentView | undefined;
  /** Lifecycle error, else sub-agent error; one readable text. */
  readonly error?: string | undefined;
  readonly degraded?: readonly Degraded[] | undefined;
  readonly dirtyReasons?: readonly DirtyReason[] | undefined;
  readonly configError?: ConfigError | undefined;
  readonly candidates?: readonly Candidate[] | undefined;
  /**
   * A person may create, recreate and start it: its configuration can do nothing to the host, or somebody has accepted it.
   * By itself it is started only when somebody has accepted it.
   */
  readonly trusted: boolean;
  /** What its configuration can do to the host; absent until it was read. */
  readonly verdict?: Verdict | undefined;
  /** What was accepted; with another hash than the verdict's it does not count any more. */
  readonly trust?: Trust | undefined;
  /** Who uses it now. */
  readonly holders?: readonly Holder[] | undefined;
  /** Ports of the host that lead into it. */
  readonly forwards?: readonly PortForward[] | undefined;
  /** The operation that owns the entry now, if any. */
  readonly operationId?: string | undefined;
}

export interface ListedContainer extends Container {
  readonly level?: Level | undefined;
  readonly devcontainerId?: string | undefined;
}

export interface ListResult {
  /** Sorted by workspace folder, then config path. */
  readonly devcontainers: readonly Devcontainer[];
  readonly containers: readonly ListedContainer[];
  readonly warnings: readonly string[];
}

/** Makes projections of states. What did not change keeps its object, so that "changed" is a comparison of references. */
export function createProjector(): (state: State) => ListResult {
  const devcontainers = new Map<string, { entry: Entry; view: Devcontainer }>();
  const projectContainers = createContainerProjector();
  let last: { state: State; list: ListResult } | undefined;

  function viewOf(state: State, entry: Entry): Devcontainer {
    const known = devcontainers.get(entry.id);
    if (known?.entry === entry) return known.view;
    const view = reuse(known?.view, projectEntry(state, entry)) as Devcontainer;
    devcontainers.set(entry.id, { entry, view });
    return view;
  }

  return (state) => {
    const same = last?.state;
    if (last && same?.entries === state.entries && same.containers === state.containers) return last.list;
    const views = [...state.entries.values()].sort(byKey).map((entry) => viewOf(state, entry));
    for (const id of devcontainers.keys()) if (!state.entries.has(id)) devcontainers.delete(id);
    const before = last?.list;
    const list: ListResult = {
      devcontainers: reuseArray(before?.devcontainers, views),
      containers: reuseArray(before?.containers, projectContainers(state)),
      warnings: reuse(before?.warnings, [
        ...portWarnings(state.containers),
        ...configWarnings(state),
      ]) as readonly string[],
    };
    const changed =
      list.devcontainers !== before?.devcontainers ||
      list.containers !== before.containers ||
      list.warnings !== before.warnings;
    last = { state, list: before && !changed ? before : list };
    return last.list;
  };
}

/** What of a configuration is not compared, so that nobody takes it for clean. */
function configWarnings(state: State): string[] {
  return [...state.entries.values()].flatMap(({ name, config }) =>
    (config?.problems ?? []).map((problem) => `${name}: ${problem}`),
  );
}

function reuseArray<T>(before: readonly T[] | undefined, after: readonly T[]): readonly T[] {
  return before?.length === after.length && before.every((one, index) => one === after[index]) ? before : after;
}

/** Of a container that did not change the view is made once: there may be thousands, in every pass. */
function createContainerProjector(): (state: State) => readonly ListedContainer[] {
  const views = new WeakMap<Container, ListedContainer>();

  function viewOf(container: Container, devcontainerId: string | undefined, level: Level | undefined): ListedContainer {
    const known = views.get(container);
    if (known && known.devcontainerId === devcontainerId && known.level === level) return known;
    const owned = devcontainerId === undefined ? {} : { devcontainerId };
    const view = { ...shownContainer(container), ...owned, ...(level === undefined ? {} : { level }) };
    views.set(container, view);
    return view;
  }

  return (state) =>
    state.containers.map((container) => {
      const owner = ownerOf(state, container.id);
      return viewOf(container, owner?.id, owner?.level ?? (state.claims.has(container.id) ? 'seen' : undefined));
    });
}

/**
 * A container as it may be seen by everyone who may list it. Its metadata hold the environment that its configuration
 * sets, tokens included; who has the configuration has them anyway.
 */
function shownContainer(container: Container): Container {
  const { [LABEL.metadata]: _metadata, ...labels } = container.labels;
  return { ...container, labels, ports: boundPorts(container) };
}

const byKey = (a: Entry, b: Entry): number =>
  compare(a.key.workspaceFolder, b.key.workspaceFolder) || compare(a.key.configPath, b.key.configPath);
const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** One entry as the outside sees it. Everything derived (dirty, agent, error) is derived here and never stored. */
export function projectEntry(state: State, entry: Entry): Devcontainer {
  const { phase, link, lifecycleError, configError } = entry;
  const reasons = dirtyReasons(entry);
  const agent = projectAgent(entry);
  const agentError = agent && agent.status !== 'running' && agent.status !== 'starting' ? agent.reason : undefined;
  const error = lifecycleError?.message ?? agentError;
  return {
    id: entry.id,
    name: entry.name,
    workspaceFolder: entry.key.workspaceFolder,
    ...(entry.key.configPath === '' ? {} : { configPath: entry.key.configPath }),
    status: phase.status,
    dirty: reasons.length > 0,
    level: entry.level,
    subAgentId: entry.record?.id ?? entry.preassignedRecordId ?? null,
    ...(link ? { container: shownContainer(link) } : {}),
    ...(agent ? { agent } : {}),
    ...(error === undefined ? {} : { error }),
    ...(lifecycleError && lifecycleError.degraded.length > 0 ? { degraded: lifecycleError.degraded } : {}),
    ...(reasons.length > 0 ? { dirtyReasons: reasons } : {}),
    ...(configError ? { configError } : {}),
    ...(entry.candidates.length > 0 ? { candidates: entry.candidates } : {}),
    trusted: permissionOfEntry(state, entry) === 'all',
    ...(entry.verdict ? { verdict: entry.verdict } : {}),
    ...(entry.trust ? { trust: entry.trust } : {}),
    ...(entry.holders.length > 0 ? { holders: entry.holders } : {}),
    ...(entry.forwards.length > 0 ? { forwards: entry.forwards } : {}),
    ...('jobId' in phase ? { operationId: phase.jobId } : {}),
  };
}

function projectAgent(entry: Entry): AgentView | undefined {
  const { agent, record } = entry;
  const base = {
    id: record?.id ?? entry.preassignedRecordId ?? null,
    name: record?.name ?? entry.name,
    directory: record?.directory ?? '',
  };
  switch (agent.kind) {
    case 'none':
    case 'ignored':
      return undefined;
    case 'injecting':
      return { ...base, status: 'starting' };
    case 'injected':
      return {
        ...base,
        status: 'running',
        startedAt: agent.startedAt,
        ...(agent.version ? { version: agent.version } : {}),
      };
    case 'exited':
    case 'failed':
      return { ...base, status: agent.kind, reason: agent.reason };
    case 'unsupported':
      return { ...base, status: 'unsupported', reason: agent.reason };
  }
}
