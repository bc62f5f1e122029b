import { deadlineScope } from '../../../async/abort.ts';
import { settleAll } from '../../../async/settle-all.ts';
import { AgentContainersError, errorMessage, type ErrorCode } from '../../../errors.ts';
import { ENGINE_TIMEOUT } from '../../constants.ts';
import type { VolumesOption } from '../../model/intent.ts';
import type { EffectMap } from '../../model/effects.ts';
import { LABEL } from '../../model/container.ts';
import type { Entry } from '../../model/state.ts';
import type { Runtime } from '../runtime.ts';
import { projectLabel, shownLabel } from '../compose-projects.ts';
import { belongingsOf, madeForProject, type Belongings } from '../devcontainer-containers.ts';
import { removeCopies } from './remove-copies.ts';
import { endWhatRuns, stopContainers } from './stop.ts';

/**
 * Stops and removes a devcontainer, then deletes its record. It runs to its end whoever leaves; a failing step ends it
 * with an error, and what was done stays done.
 */
export async function deleteDevcontainer(rt: Runtime, { id, jobId, volumes }: EffectMap['delete']): Promise<void> {
  const { store, ports } = rt;
  const entry = store.state.entries.get(id);
  if (!entry) return;
  const ended = (failure?: AgentContainersError): void => {
    if (failure) {
      rt.failures.set(jobId, failure);
      ports.logger.error({ err: failure, devcontainer: id }, failure.message);
      ports.logSink.append(id, `${failure.message}\n`);
    }
    const error = failure === undefined ? undefined : (failure.details.detail ?? failure.message);
    store.dispatch({ type: 'deleteEnded', id, jobId, error, at: ports.clock.now() });
  };

  // Written before the first side effect, so that a daemon killed at any step goes on with it.
  const intent = { kind: 'delete', operationId: jobId, since: ports.clock.now(), volumes } as const;
  store.dispatch({ type: 'deleteBegan', id, intent });
  await rt.persistence.flush();
  try {
    await endWhatRuns(rt, id);
    await stopContainers(rt, entry, (await belongingsOf(rt, entry)).containers);
  } catch (error) {
    return ended(failure('stop-failed', 'An error occurred stopping the container', error));
  }
  store.dispatch({ type: 'deleteStopped', id, jobId });
  try {
    await removeContainers(rt, entry, volumes);
  } catch (error) {
    return ended(failure('remove-failed', 'An error occurred removing the container', error));
  }
  try {
    await deleteRecordOf(rt, id);
  } catch (error) {
    return ended(failure('sub-agent-delete-failed', 'An error occurred deleting the agent', error));
  }
  // Before it ends: what is begun after that writes its own.
  await ports.logSink.remove(id);
  ended();
}

function failure(code: ErrorCode, message: string, cause: unknown): AgentContainersError {
  return new AgentContainersError(code, message, { cause, details: { detail: errorMessage(cause) } });
}

async function removeContainers(rt: Runtime, entry: Entry, volumes: VolumesOption): Promise<void> {
  const { clock, engine, logSink } = rt.ports;
  const belongings = await belongingsOf(rt, entry);
  const scope = deadlineScope(clock, ENGINE_TIMEOUT, 'Removing the container');
  const { signal } = scope;
  try {
    await settleAll(
      belongings.containers.map((container) => {
        logSink.append(entry.id, `Removing ${container.name}\n`);
        return engine.removeContainer(container.id, { volumes: volumes !== 'none', force: true, signal });
      }),
    );
    if (entry.config?.isCompose) await removeCopies(rt, entry.key, signal);
    await removeMadeForProject(rt, entry, belongings, { volumes, signal });
  } finally {
    scope.release();
  }
}

async function removeMadeForProject(
  rt: Runtime,
  { id }: Entry,
  belongings: Belongings,
  { volumes, signal }: { readonly volumes: VolumesOption; readonly signal: AbortSignal },
): Promise<void> {
  const { project } = belongings;
  if (!project) return;
  const { engine, logSink } = rt.ports;
  const made = await madeForProject(rt, belongings, signal);
  if (made.shared) {
    const folder = shownLabel(made.shared.labels[LABEL.composeFolder]);
    logSink.append(id, `Volumes and networks of the compose project ${project.name} stay: ${folder} uses it too\n`);
  }
  for (const name of volumes === 'named' ? made.volumes : []) {
    const isGone = await engine.removeVolume(name, signal);
    logSink.append(id, isGone ? `Removed the volume ${name}\n` : `The volume ${name} is in use; it stays\n`);
  }
  if (made.networksOf !== undefined) await engine.removeNetworks({ labels: [projectLabel(made.networksOf)], signal });
  // What is left, images at least, is found again by the next container of this configuration, and by no other one.
  if (project.isNamed) rt.store.dispatch({ type: 'projectChosen', id, project: project.name });
}

async function deleteRecordOf(rt: Runtime, id: string): Promise<void> {
  const entry = rt.store.state.entries.get(id);
  const record = entry?.record;
  if (!record || record.id === entry.preassignedRecordId) return;
  const scope = deadlineScope(rt.ports.clock, ENGINE_TIMEOUT, 'Deleting the sub-agent');
  try {
    await rt.ports.subAgentClient.delete(record.id, scope.signal);
    rt.tokens.delete(record.id);
    rt.store.dispatch({ type: 'subAgentDeleted', id, recordId: record.id });
  } finally {
    scope.release();
  }
}
