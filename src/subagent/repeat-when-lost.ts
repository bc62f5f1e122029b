import { isAgentContainersError } from '../errors.ts';
import type { DeliveryTarget } from './delivery-target.ts';

/** The connection broke after it was made: the engine may have done what was asked, and its answer is lost. */
const LOST = new Set<unknown>(['ECONNRESET', 'ECONNABORTED', 'EPIPE', 'ERR_STREAM_PREMATURE_CLOSE']);
const MAX_REPEATS = 2;

/**
 * Runs a step that may be done twice, and again when the engine's answer to it was lost, as happens to long uploads; not when
 * the engine or the container has gone. Rejects with the first failure then.
 */
export async function repeatWhenLost(target: DeliveryTarget, step: () => Promise<void>): Promise<void> {
  const { engine, containerId, signal } = target;
  for (let repeats = 0; ; repeats++) {
    try {
      return await step();
    } catch (error) {
      const wasLost = isAgentContainersError(error, 'engine-unreachable') && LOST.has(error.details['errno']);
      if (!wasLost || repeats >= MAX_REPEATS || signal.aborted) throw error;
      const isThere = await engine.inspectContainer(containerId, signal).then(
        ({ running }) => running,
        () => false,
      );
      if (!isThere) throw error;
    }
  }
}
