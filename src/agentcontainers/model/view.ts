import type { Container } from './container.ts';
import type { Candidate, ConfigError, Degraded, DevcontainerStatus, DirtyReason, Level } from './devcontainer.ts';
import { dirtyReasons } from './fingerprint.ts';
import { reuse } from './equality.ts';
import { boundPorts, portWarnings } from './port-list.ts';
import type { Entry, State } from './state.ts';
import type { Instant } from './time.ts';

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

  function viewOf(entry: Entry): Devcontainer {
    const known = devcontainers.get(entry.id);
    if (known?.entry === entry) return known.view;
    const view = reuse(known?.view, projectEntry(entry)) as Devcontainer;
    devcontainers.set(entry.id, { entry, view });
    return view;
  }

  return (state) => {
    const same = last?.state;
    if (last && same?.entries === state.entries && same.containers === state.containers) return last.list;
    const views = [...state.entries.values()].sort(byKey).map(viewOf);
    for (const id of devcontainers.keys()) if (!state.entries.has(id)) devcontainers.delete(id);
    const before = last?.list;
    const list: ListResult = {
      devcontainers: reuseArray(before?.devcontainers, views),
      containers: reuseArray(before?.containers, projectContainers(state)),
      warnings: reuse(before?.warnings, portWarnings(state.containers)) as readonly string[],
    };
    const changed =
      list.devcontainers !== before?.devcontainers ||
      list.containers !== before.containers ||
      list.warnings !== before.warnings;
    last = { state, list: before && !changed ? before : list };
    return last.list;
  };
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
    const ports = boundPorts(container);
    const view = { ...container, ports, ...(devcontainerId === undefined ? {} : { devcontainerId, level }) };
    views.set(container, view);
    return view;
  }

  return (state) =>
    state.containers.map((container) => {
      const devcontainerId = state.claims.get(container.id);
      const level = devcontainerId === undefined ? undefined : (state.entries.get(devcontainerId)?.level ?? 'seen');
      return viewOf(container, devcontainerId, level);
    });
}

const byKey = (a: Entry, b: Entry): number =>
  compare(a.key.workspaceFolder, b.key.workspaceFolder) || compare(a.key.configPath, b.key.configPath);
const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** One entry as the outside sees it. Everything derived (dirty, agent, error) is derived here and never stored. */
export function projectEntry(entry: Entry): Devcontainer {
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
    ...(link ? { container: { ...link, ports: boundPorts(link) } } : {}),
    ...(agent ? { agent } : {}),
    ...(error === undefined ? {} : { error }),
    ...(lifecycleError && lifecycleError.degraded.length > 0 ? { degraded: lifecycleError.degraded } : {}),
    ...(reasons.length > 0 ? { dirtyReasons: reasons } : {}),
    ...(configError ? { configError } : {}),
    ...(entry.candidates.length > 0 ? { candidates: entry.candidates } : {}),
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
