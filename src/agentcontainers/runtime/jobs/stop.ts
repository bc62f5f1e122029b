import { deadlineScope } from '../../../async/abort.ts';
import { settleAll } from '../../../async/settle-all.ts';
import { AgentContainersError, errorMessage } from '../../../errors.ts';
import { ENGINE_TIMEOUT } from '../../constants.ts';
import type { Container } from '../../model/container.ts';
import { containersOf } from '../devcontainer-containers.ts';
import type { EffectMap } from '../../model/effects.ts';
import type { Entry } from '../../model/state.ts';
import type { Runtime } from '../runtime.ts';
import { up } from './up.ts';

/** Stops a devcontainer; of a compose configuration the whole project. */
export async function stop(rt: Runtime, { id, jobId }: EffectMap['stop']): Promise<void> {
  const error = await stopped(rt, id);
  rt.store.dispatch({ type: 'stopEnded', id, jobId, error: error?.message, at: rt.ports.clock.now() });
}

export async function restart(rt: Runtime, { id, jobId }: EffectMap['restart'], signal: AbortSignal): Promise<void> {
  const error = await stopped(rt, id);
  if (error) {
    rt.store.dispatch({ type: 'stopEnded', id, jobId, error: error.message, at: rt.ports.clock.now() });
    return;
  }
  rt.store.dispatch({ type: 'restartStopped', id, jobId });
  await up(rt, { id, jobId, cause: 'start' }, signal);
}

async function stopped(rt: Runtime, id: string): Promise<AgentContainersError | undefined> {
  const entry = rt.store.state.entries.get(id);
  if (!entry) return undefined;
  try {
    await endWhatRuns(rt, id);
    await stopContainers(rt, entry, await containersOf(rt, entry));
    return undefined;
  } catch (error) {
    rt.ports.logger.error({ err: error, devcontainer: id }, errorMessage(error));
    rt.ports.logSink.append(id, `${errorMessage(error)}\n`);
    return new AgentContainersError('stop-failed', errorMessage(error), { cause: error });
  }
}

/** The sub-agent and the later hooks end first, while their container still runs. */
export async function endWhatRuns(rt: Runtime, id: string): Promise<void> {
  await Promise.all([rt.tails.end(id, 'superseded'), rt.supervision.endOf(id)]);
}

export async function stopContainers(rt: Runtime, entry: Entry, containers: readonly Container[]): Promise<void> {
  const { clock, engine, logSink } = rt.ports;
  const graceSeconds = rt.limits.stopGraceSeconds;
  await settleAll(
    containers.map(async (container) => {
      logSink.append(entry.id, `Stopping ${container.name}\n`);
      const scope = deadlineScope(clock, graceSeconds * 1000 + ENGINE_TIMEOUT, `Stopping ${container.name}`);
      try {
        await engine.stopContainer(container.id, { graceSeconds, signal: scope.signal });
      } finally {
        scope.release();
      }
    }),
  );
}
