import { linkedScope } from '../../../async/abort.ts';
import type { EffectMap } from '../../model/effects.ts';
import type { Runtime } from '../runtime.ts';
import { converge } from './converge.ts';
import { untilReachable } from './until-reachable.ts';
import { failUp } from './up.ts';

/** What a daemon that was killed had begun is brought to an end, as soon as the engine answers. */
export async function recover(
  rt: Runtime,
  { id, jobId }: EffectMap['recover'],
  laneSignal: AbortSignal,
): Promise<void> {
  const scope = linkedScope(laneSignal, rt.closing);
  const { signal } = scope;
  try {
    const said = await untilReachable({ rt, id, signal }, () => converge({ rt, id, jobId, signal }), [
      'engine-unreachable',
      'timeout',
    ]);
    const name = rt.store.state.entries.get(id)?.name ?? id;
    const message = `Bringing up was interrupted: the daemon ended while it was under way. ${said === '' ? '' : `${said} `}Go on with: agentcontainers up ${name}`;
    rt.ports.logSink.append(id, `${message}\n`);
    const degraded = { phase: 'interrupted', outputTail: '' };
    rt.store.dispatch({ type: 'upFailed', id, jobId, message, degraded, at: rt.ports.clock.now() });
  } catch (error) {
    failUp(rt, { id, jobId }, error, signal);
  } finally {
    scope.release();
  }
}
