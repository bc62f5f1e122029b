import { bounded } from '../../async/abort.ts';
import { errorMessage } from '../../errors.ts';
import { SWEEP_TIMEOUT } from '../constants.ts';
import type { Runtime } from './runtime.ts';

/**
 * Removes images that we made for an exchange which is over; one that a container was made from again stays with it. Only
 * at the start, before any command is taken, so that none is made meanwhile; and only when it is known what was noted.
 */
export async function sweepBackups(rt: Runtime): Promise<void> {
  const { clock, engine, logger } = rt.ports;
  try {
    await bounded(clock, SWEEP_TIMEOUT, 'Removing copies of earlier containers', rt.closing, async (signal) => {
      const labels = Object.entries(rt.labels.backupLabels).map(([name, value]) => `${name}=${value}`);
      const found = await engine.listImages({ labels, signal });
      const needed = new Set(
        [...rt.store.state.entries.values()].flatMap(({ intent }) =>
          intent?.kind === 'up' && intent.swap?.backup ? [intent.swap.backup.imageId] : [],
        ),
      );
      for (const image of found) if (!needed.has(image)) await engine.removeImage(image, signal);
    });
  } catch (error) {
    if (!rt.closing.aborted) logger.warn({ err: error }, errorMessage(error));
  }
}
