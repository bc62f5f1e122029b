import { AgentContainersError } from '../../errors.ts';
import type { Entry } from '../model/state.ts';
import type { Runtime } from './runtime.ts';

/** `devcontainer-not-found`, `devcontainer-not-adopted`. */
export function adoptedEntry(rt: Runtime, id: string): Entry {
  const entry = rt.store.state.entries.get(id);
  if (!entry) throw new AgentContainersError('devcontainer-not-found', 'Devcontainer not found.');
  if (entry.level === 'seen') {
    throw new AgentContainersError('devcontainer-not-adopted', 'Devcontainer is not adopted', {
      details: {
        detail: `Its configuration is not read. Adopt it with: agentcontainers up ${entry.key.workspaceFolder}`,
      },
    });
  }
  return entry;
}
