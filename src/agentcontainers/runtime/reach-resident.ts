import { AgentContainersError } from '../../errors.ts';
import type { Entry } from '../model/state.ts';
import type { ContainerRuntime } from '../ports.ts';
import { runningContainer } from './running-container.ts';
import type { Runtime } from './runtime.ts';
import { untilState } from './until-state.ts';

/**
 * The resident in the container of a devcontainer. One that is about to be there is waited for, and so is a container that
 * is being started or made anew; at most as long as an injection may take.
 *
 * @param signal ends with the library, too
 *
 * Rejects at once, with `devcontainer-not-running` and the like, or with `runtime-unavailable`, when nothing will come.
 */
export async function reachResident(rt: Runtime, id: string, signal: AbortSignal): Promise<ContainerRuntime> {
  signal.throwIfAborted();
  return untilState(rt, 'Waiting for the resident', signal, () => look(rt, id));
}

/** `undefined`: soon. */
function look(rt: Runtime, id: string): ContainerRuntime | undefined {
  const before = rt.store.state.entries.get(id);
  if (before && before.link?.state !== 'running' && willRun(rt, before)) return undefined;
  const { entry, containerId } = runningContainer(rt, id);
  const runtime = rt.supervision.runtimeIn(containerId);
  if (runtime) return runtime;
  if (isComing(rt, entry)) return undefined;
  const { agent } = entry;
  const reason = 'reason' in agent ? agent.reason : 'none runs in the container';
  throw new AgentContainersError(
    'runtime-unavailable',
    `Reaching the resident failed: ${reason.replace(/\.$/, '')}. It needs one: the engine alone connects nothing.`,
  );
}

function willRun({ store }: Runtime, { phase }: Entry): boolean {
  if (phase.status === 'starting') return true;
  return phase.status === 'stopping' && store.state.operations.get(phase.jobId)?.kind === 'restart';
}

function isComing(rt: Runtime, entry: Entry): boolean {
  const { agent, phase } = entry;
  if (!rt.store.state.settings.injectSubAgents || entry.ignored) return false;
  if (agent.kind === 'none') return phase.status === 'running' || willRun(rt, entry);
  return agent.kind === 'injecting' || agent.kind === 'exited';
}
