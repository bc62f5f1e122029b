import { deadlineScope } from '../../../async/abort.ts';
import { settleAll } from '../../../async/settle-all.ts';
import { AgentContainersError, errorMessage, type ErrorCode } from '../../../errors.ts';
import { ENGINE_TIMEOUT } from '../../constants.ts';
import { LABEL, type Container } from '../../model/container.ts';
import type { EffectMap } from '../../model/effects.ts';
import type { Entry } from '../../model/state.ts';
import type { Runtime } from '../runtime.ts';
import { composeProjectOf, containersOf, endWhatRuns, stopContainers } from './stop.ts';

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

  try {
    await endWhatRuns(rt, id);
    await stopContainers(rt, entry, allContainersOf(rt, entry));
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
  ended();
  await ports.logSink.remove(id);
}

function failure(code: ErrorCode, message: string, cause: unknown): AgentContainersError {
  return new AgentContainersError(code, message, { cause, details: { detail: errorMessage(cause) } });
}

async function removeContainers(rt: Runtime, entry: Entry, volumes: boolean): Promise<void> {
  const { clock, engine, logSink } = rt.ports;
  const project = composeProjectOf(entry);
  const scope = deadlineScope(clock, ENGINE_TIMEOUT, 'Removing the container');
  try {
    await settleAll(
      allContainersOf(rt, entry).map((container) => {
        logSink.append(entry.id, `Removing ${container.name}\n`);
        return engine.removeContainer(container.id, { volumes, force: true, signal: scope.signal });
      }),
    );
    if (project !== undefined) {
      await engine.removeNetworks({ labels: [`${LABEL.composeProject}=${project}`], signal: scope.signal });
    }
  } finally {
    scope.release();
  }
}

/** Its container, those of its compose project, and the others that claim it: left behind they would be it again. */
function allContainersOf(rt: Runtime, entry: Entry): Container[] {
  const own = containersOf(rt, entry);
  const others = rt.store.state.containers.filter(
    ({ id }) =>
      entry.candidates.some(({ containerId }) => containerId === id) && !own.some((container) => container.id === id),
  );
  return [...own, ...others];
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
