import { sleep } from '../../../async/abort.ts';
import { errorMessage, isAgentContainersError, type ErrorCode } from '../../../errors.ts';
import { RECOVER_FIRST, RECOVER_LAST } from '../../constants.ts';
import type { Runtime } from '../runtime.ts';

/**
 * Does what must be done some time, as soon as the engine is there for it; what it waits for stands in the log of the
 * devcontainer. Rejects with whatever else went wrong; with the last failure when the signal aborts.
 *
 * @param away codes by which it is told that the engine is not there
 */
export async function untilReachable<T>(
  { rt, id, signal }: { readonly rt: Runtime; readonly id: string; readonly signal: AbortSignal },
  work: () => Promise<T>,
  away: readonly ErrorCode[] = ['engine-unreachable'],
): Promise<T> {
  for (let wait: number = RECOVER_FIRST; ; wait = Math.min(wait * 2, RECOVER_LAST)) {
    try {
      return await work();
    } catch (error) {
      if (signal.aborted || !isAgentContainersError(error, ...away)) throw error;
      if (wait === RECOVER_FIRST) rt.ports.logSink.append(id, `${errorMessage(error)} Waiting for it.\n`);
      await sleep(rt.ports.clock, wait, signal, 'until the engine is reachable').catch(() => {
        throw error;
      });
    }
  }
}
