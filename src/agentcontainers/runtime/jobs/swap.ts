import { bounded, deadlineScope } from '../../../async/abort.ts';
import { errorMessage, isAgentContainersError } from '../../../errors.ts';
import { ENGINE_TIMEOUT, UNDO_TIMEOUT } from '../../constants.ts';
import { LABEL, type Container } from '../../model/container.ts';
import type { Swap } from '../../model/intent.ts';
import type { MadeFrom } from '../../model/state.ts';
import type { Runtime } from '../runtime.ts';
import { inspectIfThere } from './inspect-if-there.ts';
import { removeCopies } from './remove-copies.ts';
import { untilReachable } from './until-reachable.ts';

interface Job {
  readonly rt: Runtime;
  readonly id: string;
  readonly jobId: string;
}

/**
 * Takes the old container out of the way, so that its ports and its name are free; it can be brought back until the new
 * one is ready. Each step is written down before it is done.
 */
export async function beginSwap(job: Job, old: Container, isCompose: boolean, signal: AbortSignal): Promise<void> {
  const { rt, id, jobId } = job;
  const { engine, clock } = rt.ports;
  const graceSeconds = rt.limits.stopGraceSeconds;
  // A service has one container: the new one cannot be made beside it.
  const backup = isCompose ? await backUp(job, old, signal) : undefined;
  const wasRunning = rt.store.state.entries.get(id)?.link?.running ?? old.running;
  const swap: Swap = {
    oldContainerId: old.id,
    oldName: old.name,
    wasRunning,
    isReady: false,
    ...(backup && { backup }),
  };
  rt.store.dispatch({ type: 'swapBegan', id, jobId, swap });
  // One that is removed is lost without the note.
  await (isCompose ? rt.persistence.require() : rt.persistence.flush());
  await rt.supervision.endOf(id);
  const scope = deadlineScope(clock, graceSeconds * 1000 + ENGINE_TIMEOUT, `Stopping ${old.name}`, signal);
  try {
    rt.ports.logSink.append(id, `Stopping ${old.name}\n`);
    await engine.stopContainer(old.id, { graceSeconds, signal: scope.signal });
    if (isCompose) await engine.removeContainer(old.id, { volumes: false, force: true, signal: scope.signal });
    else await renameAside(rt, old, asideName(old.name, jobId), scope.signal);
  } finally {
    scope.release();
  }
}

/** One that somebody has removed meanwhile is out of the way as well. */
async function renameAside(rt: Runtime, old: Container, name: string, signal: AbortSignal): Promise<void> {
  try {
    await rt.ports.engine.renameContainer(old.id, name, signal);
  } catch (error) {
    if (!isAgentContainersError(error, 'engine-object-not-found')) throw error;
  }
}

function asideName(name: string, jobId: string): string {
  return `${name}-before-${jobId.replaceAll(/[^a-zA-Z0-9]/g, '').slice(0, 8)}`;
}

async function backUp({ rt, id }: Job, old: Container, signal: AbortSignal): Promise<NonNullable<Swap['backup']>> {
  const { engine, clock, logSink } = rt.ports;
  logSink.append(id, `Keeping a copy of ${old.name}\n`);
  // A copy of a large file system takes its time; the person can see that it goes on.
  const scope = deadlineScope(clock, 10 * ENGINE_TIMEOUT, `Keeping a copy of ${old.name}`, signal);
  try {
    const blueprint = await engine.describeContainer(old.id, scope.signal);
    const imageId = await engine.commitContainer(old.id, { labels: rt.labels.backupLabels }, scope.signal);
    return { imageId, blueprint };
  } catch (error) {
    // The copy may be there, and only its answer lost.
    await forgetCopies(rt, id);
    throw error;
  } finally {
    scope.release();
  }
}

/** Best effort: what is left of them goes with the next exchange, with the devcontainer, or at the next start. */
async function forgetCopies(rt: Runtime, id: string): Promise<void> {
  const entry = rt.store.state.entries.get(id);
  if (!entry) return;
  await bounded(rt.ports.clock, ENGINE_TIMEOUT, 'Removing copies', rt.closing, (signal) =>
    removeCopies(rt, entry.key, signal),
  ).catch((error: unknown) => rt.ports.logger.warn({ err: error, devcontainer: id }, errorMessage(error)));
}

/**
 * The new container is ready: the old one goes, as soon as the engine is there. What cannot be removed is said, and stays
 * as a candidate; what a close leaves is removed at the next start.
 */
export async function finishSwap({ rt, id, jobId }: Job, swap: Swap): Promise<void> {
  const { engine, clock, logger, logSink } = rt.ports;
  rt.store.dispatch({ type: 'swapReady', id, jobId });
  await rt.persistence.flush();
  try {
    await untilReachable({ rt, id, signal: rt.closing }, () =>
      bounded(clock, ENGINE_TIMEOUT, `Removing ${swap.oldName}`, undefined, async (signal) => {
        await engine.removeContainer(swap.oldContainerId, { volumes: false, force: true, signal });
        if (!swap.backup) return;
        await engine.removeImage(swap.backup.imageId, signal);
        // The old one may have been made from such a copy itself.
        const entry = rt.store.state.entries.get(id);
        if (entry) await removeCopies(rt, entry.key, signal);
      }),
    );
  } catch (error) {
    if (rt.closing.aborted) return;
    logger.warn({ err: error, devcontainer: id }, errorMessage(error));
    logSink.append(id, `${errorMessage(error)}\n`);
  }
  rt.store.dispatch({ type: 'swapEnded', id, jobId });
}

/**
 * The new container did not come up: whatever was made of it goes, and the old one is put back as it was. Has a deadline
 * of its own, since it runs also when the job was cancelled. Resolves with a sentence for people; rejects when the old
 * container could not be brought back, and then the swap stays noted.
 */
export async function undoSwap(
  { rt, id, jobId }: Job,
  swap: Swap,
  generation: string,
  made: MadeFrom | undefined,
): Promise<string> {
  const { engine, clock, logSink } = rt.ports;
  // A close does not wait for long; what is not done then is done at the next start.
  const limit = rt.closing.aborted ? UNDO_TIMEOUT : 4 * UNDO_TIMEOUT;
  const said = await bounded(clock, limit, `Bringing ${swap.oldName} back`, undefined, async (signal) => {
    const failed = await engine.listContainers({ labels: [`${LABEL.generation}=${generation}`], signal });
    for (const container of failed) {
      // Given up in between it stops there: somebody else may be at work by then.
      signal.throwIfAborted();
      await engine.removeContainer(container.id, { volumes: true, force: true, signal });
    }
    signal.throwIfAborted();
    const oldId = await oldContainer(rt, swap, signal);
    signal.throwIfAborted();
    if (oldId === undefined) return `The earlier container ${swap.oldName} is not there any more.`;
    if (oldId !== swap.oldContainerId && made) {
      rt.store.dispatch({ type: 'containerMade', id, made: { ...made, containerId: oldId } });
    }
    // It is there under its name: from here on nothing can be lost any more.
    rt.store.dispatch({ type: 'swapEnded', id, jobId, abandoned: generation });
    if (oldId === swap.oldContainerId && swap.backup) await engine.removeImage(swap.backup.imageId, signal);
    if (!swap.wasRunning) return 'The earlier container is back.';
    try {
      await untilReachable({ rt, id, signal }, () => engine.startContainer(oldId, signal));
      return 'The earlier container runs again.';
    } catch (error) {
      return `The earlier container is back, but ${errorMessage(error)}`;
    }
  });
  logSink.append(id, `${said}\n`);
  rt.store.dispatch({ type: 'swapEnded', id, jobId, abandoned: generation });
  return said;
}

/** The old container under its own name; of a compose service it is made again from its copy. */
async function oldContainer(rt: Runtime, swap: Swap, signal: AbortSignal): Promise<string | undefined> {
  const { engine } = rt.ports;
  const details = await inspectIfThere(engine, swap.oldContainerId, signal);
  if (details) {
    if (details.name !== swap.oldName) await engine.renameContainer(details.id, swap.oldName, signal);
    return details.id;
  }
  if (!swap.backup) return undefined;
  // It may have been made already, by one who was killed then.
  const again = await engine.listContainers({ labels: [], signal });
  const same = again.find(({ name, imageId }) => name === swap.oldName && imageId === swap.backup?.imageId);
  return same?.id ?? engine.createContainer(swap.backup.blueprint, swap.backup.imageId, signal);
}
