import { readFile, readdir } from 'node:fs/promises';
import type { TestEngine } from './engine-harness.ts';

export interface ContainerProcess {
  /** As the host numbers it. */
  readonly pid: number;
  readonly parent: number;
  readonly args: string;
}

/**
 * What runs in a container, seen from the host and told by its control group, without what has ended and nobody has taken
 * note of; empty when the container does not run. Engines differ in whose numbers they give.
 */
export async function processesIn(engine: TestEngine, container: string): Promise<ContainerProcess[]> {
  const id = await engine.docker('inspect', '-f', '{{.Id}}', container).catch((error: unknown) => {
    if (/no such (container|object)/i.test(String(error))) return '';
    throw error;
  });
  if (id === '') return [];
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  const found = await Promise.all(pids.map((pid) => processOf(pid, id)));
  return found.filter((process) => process !== undefined);
}

async function processOf(pid: number, containerId: string): Promise<ContainerProcess | undefined> {
  const read = (name: string): Promise<string> => readFile(`/proc/${pid}/${name}`, 'utf8').catch(() => '');
  // `…/docker/<id>`, `…/docker-<id>.scope/…`, `…/libpod-<id>/container`; a monitor beside it is `…-conmon-<id>`.
  const group = new RegExp(`/(docker-|libpod-)?${containerId}(\\.scope)?(/|$)`, 'm');
  if (!group.test(await read('cgroup'))) return undefined;
  const [stat, commandLine] = await Promise.all([read('stat'), read('cmdline')]);
  // The name before it can hold anything, parentheses too.
  const [, state, parent] = /.*\) (\S) (\d+) /s.exec(stat) ?? [];
  if (state === undefined || state === 'Z' || state === 'X') return undefined;
  return { pid, parent: Number(parent), args: commandLine.split('\0').join(' ').trim() };
}

const SUB_AGENT = / supervise agentcontainers-sub-agent$|(^|[/ ])resident(-[\da-f]{12})? agent$/;

/** Pids of the shipped sub-agents that run in a container. The guard, a fork of each script, is part of its sub-agent. */
export async function subAgentsIn(engine: TestEngine, container: string): Promise<number[]> {
  const agents = (await processesIn(engine, container)).filter(({ args }) => SUB_AGENT.test(args));
  const pids = new Set(agents.map(({ pid }) => pid));
  return agents.filter(({ parent }) => !pids.has(parent)).map(({ pid }) => pid);
}
