import { deadlineScope } from '../../async/abort.ts';
import type { ContainerEngine } from '../../agentcontainers/ports.ts';
import type { Clock } from '../../clock/clock.ts';
import { isAgentContainersError } from '../../errors.ts';
import type { ContainerLook } from './resident-link.ts';

const LOOK_TIMEOUT_MS = 5_000;

/** How a container is, as far as that bears on its agent. Never rejects. */
export async function lookAtContainer(
  engine: ContainerEngine,
  clock: Clock,
  containerId: string,
  signal: AbortSignal,
): Promise<ContainerLook> {
  const scope = deadlineScope(clock, LOOK_TIMEOUT_MS, 'Looking at the container', signal);
  try {
    const container = await engine.inspectContainer(containerId, scope.signal);
    if (container.state === 'paused') return 'paused';
    // Of one that runs it tells of some process in it, at some time.
    if (container.running) return 'runs';
    return container.oomKilled ? 'oom' : 'gone';
  } catch (error) {
    return isAgentContainersError(error, 'engine-object-not-found') ? 'gone' : 'unknown';
  } finally {
    scope.release();
  }
}
