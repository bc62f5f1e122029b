import { bounded } from '../../../async/abort.ts';
import { ENGINE_TIMEOUT } from '../../constants.ts';
import { inspectIfThere } from './inspect-if-there.ts';
import type { UpJob } from './up-job.ts';

/** False also for one that is gone. Rejects when the engine cannot tell. */
export async function containerRuns(
  { rt, signal }: Pick<UpJob, 'rt' | 'signal'>,
  containerId: string | undefined,
): Promise<boolean> {
  if (containerId === undefined) return false;
  const { clock, engine } = rt.ports;
  const what = `Inspecting the container ${containerId.slice(0, 12)}`;
  const details = await bounded(clock, ENGINE_TIMEOUT, what, signal, (limit) =>
    inspectIfThere(engine, containerId, limit),
  );
  return details?.running === true;
}
