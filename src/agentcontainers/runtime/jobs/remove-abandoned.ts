import { bounded } from '../../../async/abort.ts';
import { errorMessage } from '../../../errors.ts';
import { ENGINE_TIMEOUT } from '../../constants.ts';
import type { EffectMap } from '../../model/effects.ts';
import type { Runtime } from '../runtime.ts';

/** A container of an operation that was given up: nobody uses it. What fails here is tried again by the next pass. */
export async function removeAbandoned(rt: Runtime, { id, containerId }: EffectMap['removeAbandoned']): Promise<void> {
  const { clock, engine, logger } = rt.ports;
  const what = `Removing the container ${containerId.slice(0, 12)} of an interrupted operation`;
  try {
    await bounded(clock, ENGINE_TIMEOUT, what, rt.closing, (signal) =>
      engine.removeContainer(containerId, { volumes: true, force: true, signal }),
    );
    logger.info({ devcontainer: id, container: containerId }, `${what}: done.`);
  } catch (error) {
    if (!rt.closing.aborted) logger.warn({ err: error, devcontainer: id }, errorMessage(error));
  }
}
