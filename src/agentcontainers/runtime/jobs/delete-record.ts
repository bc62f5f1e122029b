import { deadlineScope } from '../../../async/abort.ts';
import { errorMessage } from '../../../errors.ts';
import { CLEANUP_TIMEOUT } from '../../constants.ts';
import type { EffectMap } from '../../model/effects.ts';
import type { Runtime } from '../runtime.ts';

/** Deletes a record that no entry holds. A failure is logged: the clean-up at the next start finds it again. */
export async function deleteRecord(rt: Runtime, { id, recordId }: EffectMap['deleteRecord']): Promise<void> {
  const { clock, logger, subAgentClient } = rt.ports;
  // Not bound to closing: a record made while the library closes is deleted all the same.
  const scope = deadlineScope(clock, CLEANUP_TIMEOUT, 'Deleting a sub-agent record');
  // Whatever comes of it, nobody holds this record any more.
  rt.tokens.delete(recordId);
  try {
    await subAgentClient.delete(recordId, scope.signal);
    rt.store.dispatch({ type: 'subAgentDeleted', id, recordId });
  } catch (error) {
    logger.warn({ err: error, recordId }, errorMessage(error));
  } finally {
    scope.release();
  }
}
