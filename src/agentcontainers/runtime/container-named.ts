import { AgentContainersError } from '../../errors.ts';
import type { Container } from '../model/container.ts';
import type { Runtime } from './runtime.ts';

/** By id or name; else by a beginning of the id that only one has. */
export function containerNamed(rt: Runtime, wanted: string): Container {
  const { containers } = rt.store.state;
  const exact = containers.find(({ id, name }) => id === wanted || name === wanted);
  if (exact) return exact;
  const found = wanted.length < 4 ? [] : containers.filter(({ id }) => id.startsWith(wanted));
  const [only] = found;
  if (!only) throw new AgentContainersError('container-not-found', 'Container not found');
  if (found.length > 1) {
    throw new AgentContainersError('devcontainer-ambiguous', 'Several containers match', {
      details: { detail: `${wanted} begins the ids of ${found.map(({ name }) => name).join(', ')}.` },
    });
  }
  return only;
}
