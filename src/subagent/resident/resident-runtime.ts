// INVARIANTS
// - What is named by an id goes to the agent that the id is of; what is new goes to the newest agent, but for a start with a
//   key that an older one knows.
import { raceAbort } from '../../async/abort.ts';
import { DEFAULT_GRACE_MS } from '../../agentcontainers/default-grace.ts';
import type { CommandProcess, CommandSpec, ContainerRuntime } from '../../agentcontainers/ports.ts';
import type { Clock } from '../../clock/clock.ts';
import { AgentContainersError } from '../../errors.ts';
import { attachProcess } from './attached-process.ts';
import { createFiles } from './files.ts';
import { listPorts, watchPorts } from './ports.ts';
import {
  listProcesses,
  readOutput,
  readProcess,
  resizeProcess,
  spawnProcess,
  tellProcess,
  writeStdin,
} from './processes.ts';
import type { ResidentAgent } from './resident-agent.ts';
import { runCommand } from './running-command.ts';
import { connectFromContainer } from './tcp-connection.ts';
import { statsSchema, toProcess, toStats } from './wire.ts';

export interface RuntimeAgents {
  /** The one that takes what is new. */
  readonly newest: ResidentAgent;
  /** Those of binaries of before, as long as something runs under them. */
  readonly older: () => readonly ResidentAgent[];
  /** Resolves when all of those are there. Never rejects. */
  readonly olderFound?: Promise<void> | undefined;
  /** Resolves when commands may be started. Never rejects. */
  readonly prepared?: Promise<void> | undefined;
}

/** What runs in one container, by its agents. */
export function createResidentRuntime(
  { newest, older, olderFound, prepared }: RuntimeAgents,
  clock: Clock,
): ContainerRuntime {
  let isPrepared = prepared === undefined;
  void prepared?.then(() => (isPrepared = true));

  async function untilPrepared(signal: AbortSignal | undefined): Promise<void> {
    if (!isPrepared && prepared) await (signal ? raceAbort(prepared, signal) : prepared);
  }
  async function untilOlderFound(signal: AbortSignal | undefined): Promise<void> {
    if (olderFound) await (signal ? raceAbort(olderFound, signal) : olderFound);
  }
  async function agentOf(id: string, signal: AbortSignal | undefined): Promise<ResidentAgent> {
    if (newest.owns(id)) return newest;
    await untilOlderFound(signal);
    const owner = older().find((agent) => agent.owns(id));
    if (owner) return owner;
    throw new AgentContainersError(
      'process-not-found',
      `Finding process ${JSON.stringify(id.slice(0, 40))} failed: there is none with this id in the container. List them to see those that are.`,
    );
  }

  /** What runs under an older agent: nothing any more when that has ended meanwhile. */
  async function listOlder(agent: ResidentAgent, signal: AbortSignal | undefined): Promise<readonly CommandProcess[]> {
    try {
      return await listProcesses(agent, signal);
    } catch (error) {
      if (!agent.link.end) throw error;
      return [];
    }
  }

  /**
   * Whom to ask for a start. One with a key that an older agent knows was made there, and only that agent can tell whether
   * it is the same: what it lists of a command line may be cut.
   */
  async function starterOf(spec: CommandSpec, signal: AbortSignal | undefined): Promise<ResidentAgent> {
    await untilPrepared(signal);
    if (spec.key === undefined) return newest;
    await untilOlderFound(signal);
    for (const agent of older()) {
      const processes = await listOlder(agent, signal);
      if (processes.some(({ key }) => key === spec.key)) return agent;
    }
    return newest;
  }

  return {
    via: 'resident',
    exec: async (spec, signal) => runCommand(await starterOf(spec, signal), spec, signal),
    spawn: async (spec, signal) => spawnProcess(await starterOf(spec, signal), spec, signal),
    async processes(signal) {
      await untilOlderFound(signal);
      const lists = older().map((agent) => listOlder(agent, signal));
      return (await Promise.all([listProcesses(newest, signal), ...lists])).flat();
    },
    process: async (id, options, signal) => readProcess(await agentOf(id, signal), id, options?.waitMs, signal),
    async *output(id, query = {}) {
      yield* readOutput(await agentOf(id, query.signal), id, query);
    },
    attach: async (id, options = {}, signal) => attachProcess(await agentOf(id, signal), id, options, signal),
    async writeStdin(id, bytes, options, signal) {
      await writeStdin(await agentOf(id, signal), id, bytes, options?.eof === true, signal);
    },
    resize: async (id, size, signal) => resizeProcess(await agentOf(id, signal), id, size, signal),
    async signal(id, name, options, signal) {
      const json = { signal: name.replace(/^SIG/, ''), tree: options?.tree === true };
      const doing = `Signalling process ${id}`;
      await tellProcess(await agentOf(id, signal), id, { doing, name: 'signal', json, mayRepeat: false, signal });
    },
    async kill(id, options, signal) {
      return toProcess(await (await agentOf(id, signal)).kill(id, options?.graceMs ?? DEFAULT_GRACE_MS, signal));
    },
    async forget(id, signal) {
      await tellProcess(await agentOf(id, signal), id, { doing: `Forgetting process ${id}`, mayRepeat: false, signal });
    },
    files: createFiles(newest),
    ports: (signal) => listPorts(newest, signal),
    watchPorts: (listener, signal) => watchPorts(newest, clock, listener, signal),
    connect: async (host, port, signal) => connectFromContainer(newest, host, port, signal),
    async stats(signal) {
      const doing = 'Reading the statistics of the container';
      const request = { doing, method: 'GET', path: '/v1/stats', schema: statsSchema, signal } as const;
      return toStats(await newest.request(request));
    },
  };
}
