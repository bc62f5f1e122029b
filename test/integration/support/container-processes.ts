import type { TestEngine } from './engine-harness.ts';

export interface ContainerProcess {
  /** As the host numbers it. */
  readonly pid: number;
  readonly parent: number;
  readonly args: string;
}

/** What runs in a container, seen from the host; empty when the container does not run. */
export async function processesIn(engine: TestEngine, container: string): Promise<ContainerProcess[]> {
  const text = await engine.docker('top', container, '-eo', 'pid,ppid,args').catch((error: unknown) => {
    if (/is not running|No such container/.test(String(error))) return '';
    throw error;
  });
  return text
    .split('\n')
    .slice(1)
    .map((line) => {
      const [, pid, parent, args] = /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(line) ?? [];
      return { pid: Number(pid), parent: Number(parent), args: args ?? '' };
    });
}

/** Pids of the shipped sub-agents that run in a container. The guard, a fork of each, is part of its sub-agent. */
export async function subAgentsIn(engine: TestEngine, container: string): Promise<number[]> {
  const agents = (await processesIn(engine, container)).filter(({ args }) =>
    args.endsWith(' supervise agentcontainers-sub-agent'),
  );
  const pids = new Set(agents.map(({ pid }) => pid));
  return agents.filter(({ parent }) => !pids.has(parent)).map(({ pid }) => pid);
}
