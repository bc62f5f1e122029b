import type {
  AgentView,
  Devcontainer,
  Finding,
  Holder,
  InputDifference,
  ListedContainer,
  ListResult,
  LogChunk,
  Operation,
  OperationReceipt,
  RemovalPlan,
} from '../agentcontainers/api.ts';
import { rfc3339 } from '../clock/rfc3339.ts';
import { toWireForward } from './runtime-wire.ts';
import type {
  WireAgent,
  WireContainer,
  WireDevcontainer,
  WireDifferences,
  WireFinding,
  WireHolder,
  WireList,
  WireLogChunk,
  WireOperation,
  WireReceipt,
  WireRemovalPlan,
} from './wire-schemas.ts';

// Domain to wire. Every field is named, so that nothing new in the domain gets out unseen.

export function toWireList(list: ListResult): WireList {
  return {
    devcontainers: list.devcontainers.map(toListedDevcontainer),
    containers: list.containers.map(toWireContainer),
    ...(list.warnings.length > 0 && { warnings: [...list.warnings] }),
  };
}

/** As it is answered alone: with who uses it, what it can do to the host and what of that was accepted. */
export function toWireDevcontainer(entry: Devcontainer): WireDevcontainer {
  const { verdict, trust } = entry;
  return {
    ...toListedDevcontainer(entry),
    verdict: verdict && { ...toVerdict(verdict), findings: verdict.findings.map(toWireFinding) },
    trust: trust && { hash: trust.hash, findings: trust.findings.map(toWireFinding), at: rfc3339(trust.at) },
    holders: entry.holders?.map(toWireHolder),
  };
}

function toListedDevcontainer(entry: Devcontainer): WireDevcontainer {
  return {
    id: entry.id,
    name: entry.name,
    workspace_folder: entry.workspaceFolder,
    config_path: entry.configPath,
    subagent_id: entry.subAgentId,
    status: entry.status,
    dirty: entry.dirty,
    container: entry.container && toWireContainer(entry.container),
    agent: entry.agent && toWireAgent(entry.agent),
    error: entry.error,
    level: entry.level,
    dirty_reasons: entry.dirtyReasons?.map((reason) => ({ input: reason.input, class: reason.class })),
    config_error: entry.configError && {
      message: entry.configError.message,
      line: entry.configError.line,
      column: entry.configError.column,
    },
    candidates: entry.candidates?.map(({ containerId, name, reason }) => ({ container_id: containerId, name, reason })),
    degraded: entry.degraded?.map((part) => ({
      phase: part.phase,
      command: part.command,
      exit_code: part.exitCode,
      output_tail: part.outputTail,
    })),
    operation_id: entry.operationId,
    forwards: entry.forwards?.map(toWireForward),
    trusted: entry.trusted,
    busy: (entry.holders?.length ?? 0) > 0,
    verdict: entry.verdict && toVerdict(entry.verdict),
  };
}

function toVerdict({ hash, findings }: NonNullable<Devcontainer['verdict']>): { hash: string; finding_count: number } {
  return { hash, finding_count: findings.length };
}

export function toWireFinding({ kind, detail, source }: Finding): WireFinding {
  return { kind, detail, source };
}

export function toWireHolder({ id, kind, description, since }: Holder): WireHolder {
  return { id, kind, description, since: rfc3339(since) };
}

export function toWireContainer(container: ListedContainer): WireContainer {
  return {
    id: container.id,
    name: container.name,
    image: container.image,
    labels: container.labels,
    created_at: rfc3339(container.createdAt),
    running: container.running,
    status: container.status,
    ports: container.ports.map((port) => ({
      port: port.port,
      network: port.network,
      host_ip: port.hostIp,
      host_port: port.hostPort,
    })),
    volumes: toVolumes(container.mounts),
    level: container.level,
    devcontainer_id: container.devcontainerId,
  };
}

/** One source mounted twice keeps the destination that sorts last; a mount without a source (tmpfs) has no entry. */
function toVolumes(mounts: ListedContainer['mounts']): Record<string, string> {
  const pairs = mounts
    .filter((mount) => mount.source !== '')
    .map((mount) => [mount.source, mount.destination] as const);
  pairs.sort(([a, x], [b, y]) => compare(a, b) || compare(x, y));
  return Object.fromEntries(pairs);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function toWireAgent(agent: AgentView): WireAgent {
  return {
    id: agent.id,
    name: agent.name,
    directory: agent.directory,
    status: agent.status,
    reason: agent.reason,
    version: agent.version,
    started_at: agent.startedAt === undefined ? undefined : rfc3339(agent.startedAt),
  };
}

export function toWireOperation(operation: Operation): WireOperation {
  return {
    id: operation.id,
    devcontainer_id: operation.devcontainerId,
    kind: operation.kind,
    status: operation.status,
    phase: operation.phase,
    started_at: rfc3339(operation.startedAt),
    ended_at: operation.endedAt === undefined ? undefined : rfc3339(operation.endedAt),
    error: operation.error,
    log_offset: operation.logOffset,
    steps: operation.steps.map(({ name, startedAt, endedAt }) => ({
      name,
      started_at: rfc3339(startedAt),
      ended_at: endedAt === undefined ? undefined : rfc3339(endedAt),
    })),
  };
}

export function toWireReceipt(receipt: OperationReceipt, message: string): WireReceipt {
  return {
    message: receipt.started ? message : 'Nothing to do',
    operation_id: receipt.operation.id,
    devcontainer_id: receipt.operation.devcontainerId,
  };
}

export function toWireRemovalPlan(plan: RemovalPlan): WireRemovalPlan {
  return {
    containers: [...plan.containers],
    volumes: [...plan.volumes],
    networks: [...plan.networks],
    entry_goes: plan.entryGoes,
  };
}

export function toWireDifferences(differences: readonly InputDifference[]): WireDifferences {
  return {
    differences: differences.map((one) => ({
      input: one.input,
      class: one.class,
      before: one.before,
      after: one.after,
    })),
  };
}

export function toWireLogChunk(chunk: LogChunk): WireLogChunk {
  return { offset: chunk.offset, text: chunk.text };
}
