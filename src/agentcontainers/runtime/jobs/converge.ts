import { bounded } from '../../../async/abort.ts';
import { ENGINE_TIMEOUT } from '../../constants.ts';
import { LABEL } from '../../model/container.ts';
import { removeCopyUnderWay } from './copy-under-way.ts';
import { finishSwap, undoSwap } from './swap.ts';
import { step, type UpJob } from './up-job.ts';

/**
 * Brings to an end what an `up` of a killed daemon had begun: its process is ended; of two containers the new one stays
 * if it was ready, else the old one is put back. Resolves with a sentence for people; may be called again after it has
 * failed.
 */
export async function converge(job: Pick<UpJob, 'rt' | 'id' | 'jobId' | 'signal'>): Promise<string> {
  const { rt, id, jobId, signal } = job;
  const entry = rt.store.state.entries.get(id);
  const intent = entry?.intent;
  if (!entry || intent?.kind !== 'up') return '';
  const { cli, engine, clock } = rt.ports;
  step(job, 'recover');
  if (intent.process) await cli.endProcess(intent.process, signal);
  const { swap, operationId } = intent;
  const labels = [`${LABEL.generation}=${operationId}`];
  const made = await bounded(clock, ENGINE_TIMEOUT, 'Listing containers', signal, (limit) =>
    engine.listContainers({ labels, signal: limit }),
  );
  if (!swap) {
    await removeCopyUnderWay(rt, { id, key: entry.key, intent }, signal);
    // What it has not made by now it must not make any more: somebody else will.
    const abandoned = made.length === 0 ? operationId : undefined;
    rt.store.dispatch({ type: 'swapEnded', id, jobId, abandoned });
    return '';
  }
  if (swap.isReady && made.length > 0) {
    await finishSwap(job, swap);
    return 'The new container is in place.';
  }
  const madeFrom = entry.made.find(({ containerId }) => containerId === swap.oldContainerId);
  return undoSwap(job, swap, operationId, madeFrom);
}
