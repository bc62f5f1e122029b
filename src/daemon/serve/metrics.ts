import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { AgentContainers, Devcontainer, ListResult } from '../../agentcontainers/api.ts';
import type { ContainerEngine } from '../../agentcontainers/ports.ts';

const STATUSES = ['running', 'stopped', 'starting', 'stopping', 'deleting', 'error'] as const;

export interface Metrics {
  /** Prometheus text format. */
  text(): Promise<string>;
  readonly contentType: string;
  /** The engine, with its listings counted: each pass lists once. */
  countPasses(engine: ContainerEngine): ContainerEngine;
  /** Counts from what becomes visible, until the returned function is called. */
  observe(api: AgentContainers): () => void;
}

export function createMetrics(now: () => number = Date.now): Metrics {
  const registry = new Registry();
  let collectsProcess = false;
  const registers = [registry];
  const entries = new Gauge({
    name: 'agentcontainers_devcontainers',
    help: 'Devcontainers by status.',
    labelNames: ['status'],
    registers,
  });
  const passes = new Counter({
    name: 'agentcontainers_passes_total',
    help: 'Update passes by result.',
    labelNames: ['result'],
    registers,
  });
  const listing = new Histogram({
    name: 'agentcontainers_listing_seconds',
    help: 'Time that the engine took to list containers.',
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 15],
    registers,
  });
  const injections = new Counter({
    name: 'agentcontainers_injections_total',
    help: 'Injections of a sub-agent by result: running, failed, exited, unsupported.',
    labelNames: ['result'],
    registers,
  });
  const operations = new Counter({
    name: 'agentcontainers_operations_total',
    help: 'Operations that owned a devcontainer and have ended, by kind and status.',
    labelNames: ['kind', 'status'],
    registers,
  });

  return {
    text() {
      // Event-loop lag, memory, CPU and open files of the process. From the first reading on, since measuring the lag wakes
      // the process a hundred times a second.
      if (!collectsProcess) collectDefaultMetrics({ register: registry });
      collectsProcess = true;
      return registry.metrics();
    },
    contentType: registry.contentType,

    countPasses(engine) {
      return {
        ...engine,
        async listContainers(query) {
          const began = now();
          try {
            const containers = await engine.listContainers(query);
            passes.inc({ result: 'succeeded' });
            return containers;
          } catch (error) {
            passes.inc({ result: 'failed' });
            throw error;
          } finally {
            listing.observe((now() - began) / 1_000);
          }
        },
      };
    },

    observe(api) {
      const transitions = createTransitions({
        injection: (result) => injections.inc({ result }),
        operationEnded: (id) => {
          api.operation(id).then(
            ({ kind, status }) => operations.inc({ kind, status }),
            () => undefined,
          );
        },
      });
      return api.subscribe((list) => {
        for (const status of STATUSES) {
          entries.set({ status }, list.devcontainers.filter((entry) => entry.status === status).length);
        }
        transitions(list);
      });
    },
  };
}

interface TransitionListener {
  injection(result: 'running' | 'failed' | 'exited' | 'unsupported'): void;
  operationEnded(id: string): void;
}

/** Compares each projection with the one before. What began and ended between two of them is not seen. */
export function createTransitions(listener: TransitionListener): (list: ListResult) => void {
  let before = new Map<string, Devcontainer>();
  return (list) => {
    const after = new Map(list.devcontainers.map((entry) => [entry.id, entry]));
    for (const [id, entry] of after) {
      const agent = entry.agent;
      const known = before.get(id)?.agent;
      const same = known?.status === agent?.status && known?.startedAt === agent?.startedAt;
      if (agent !== undefined && agent.status !== 'starting' && !same) listener.injection(agent.status);
    }
    for (const [id, { operationId }] of before) {
      if (operationId !== undefined && after.get(id)?.operationId !== operationId) listener.operationEnded(operationId);
    }
    before = after;
  };
}
