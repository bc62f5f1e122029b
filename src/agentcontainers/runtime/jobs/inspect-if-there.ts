import { isAgentContainersError } from '../../../errors.ts';
import type { ContainerDetails, ContainerEngine } from '../../ports.ts';

/** `undefined` for a container that is gone. Rejects when the engine cannot tell. */
export async function inspectIfThere(
  engine: ContainerEngine,
  containerId: string,
  signal: AbortSignal,
): Promise<ContainerDetails | undefined> {
  try {
    return await engine.inspectContainer(containerId, signal);
  } catch (error) {
    if (isAgentContainersError(error, 'engine-object-not-found')) return undefined;
    throw error;
  }
}
