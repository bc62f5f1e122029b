import { AgentContainersError } from '../../errors.ts';

/** What the engine's own exec cannot do, said as such. */
export function needsResident(doing: string, reason: string): AgentContainersError {
  return new AgentContainersError(
    'runtime-unavailable',
    `${doing} failed: ${reason}. It needs the resident, and this goes through the engine.`,
    { details: { via: 'engine', reason: 'resident-needed' } },
  );
}
