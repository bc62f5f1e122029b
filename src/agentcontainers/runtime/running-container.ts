import { AgentContainersError } from '../../errors.ts';
import type { Entry } from '../model/state.ts';
import type { Runtime } from './runtime.ts';

/** `devcontainer-not-found`, `devcontainer-not-adopted`, `devcontainer-not-running`. */
export function runningContainer(rt: Runtime, id: string): { readonly entry: Entry; readonly containerId: string } {
  const entry = rt.store.state.entries.get(id);
  if (!entry) throw new AgentContainersError('devcontainer-not-found', 'Devcontainer not found.');
  if (entry.level === 'seen') throw new AgentContainersError('devcontainer-not-adopted', 'Devcontainer is not adopted');
  // After a stop the listing that tells of it may still be to come.
  if (entry.link?.state !== 'running' || entry.phase.status === 'stopped') {
    throw new AgentContainersError('devcontainer-not-running', 'Devcontainer is not running', {
      details: { detail: `Start it with: agentcontainers start ${entry.name}` },
    });
  }
  return { entry, containerId: entry.link.id };
}
