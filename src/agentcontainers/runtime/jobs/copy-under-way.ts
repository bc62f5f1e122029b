import { bounded, sleep } from '../../../async/abort.ts';
import { errorMessage, isAgentContainersError } from '../../../errors.ts';
import { COPY_POLL, ENGINE_TIMEOUT } from '../../constants.ts';
import type { UpIntent } from '../../model/intent.ts';
import type { Entry } from '../../model/state.ts';
import type { Runtime } from '../runtime.ts';
import { inspectIfThere } from './inspect-if-there.ts';
import { removeCopies } from './remove-copies.ts';

/**
 * Removes the copy that a killed daemon had asked for: the engine goes on with it, and holds the container meanwhile.
 * Waits for that, within bounds, since somebody may have paused it. What is missed goes as {@link removeCopies} tells.
 */
export async function removeCopyUnderWay(
  rt: Runtime,
  { id, key, intent }: Pick<Entry, 'id' | 'key'> & { readonly intent: UpIntent },
  signal: AbortSignal,
): Promise<void> {
  const { clock, engine, logger } = rt.ports;
  try {
    await bounded(clock, ENGINE_TIMEOUT, 'Removing a copy', signal, async (limit) => {
      for (const known of intent.knownContainers)
        while ((await inspectIfThere(engine, known, limit))?.state === 'paused')
          await sleep(clock, COPY_POLL, limit, 'a container that is copied');
      await removeCopies(rt, key, limit);
    });
  } catch (error) {
    if (signal.aborted || isAgentContainersError(error, 'engine-unreachable')) throw error;
    logger.warn({ err: error, devcontainer: id }, errorMessage(error));
  }
}
