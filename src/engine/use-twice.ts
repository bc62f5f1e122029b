import { isAgentContainersError } from '../errors.ts';
import type { EngineConnection } from './engine-connection.ts';
import type { EngineTransport } from './engine-transport.ts';

/** The connection broke after it was made: the engine may have done what was asked, and its answer is lost. */
const LOST = new Set<unknown>(['ECONNRESET', 'ECONNABORTED', 'EPIPE', 'ERR_STREAM_PREMATURE_CLOSE']);

/**
 * Runs `work` on the connection, and once more when the answer was lost. Only for work that may be done twice: what is
 * already so counts as success. When the engine is gone by then, the first failure is the one that is told.
 */
export async function useTwice<T>(
  connection: EngineConnection,
  doing: string,
  signal: AbortSignal,
  work: (transport: EngineTransport) => Promise<T>,
): Promise<T> {
  try {
    return await connection.use(doing, signal, work);
  } catch (error) {
    const wasLost = isAgentContainersError(error, 'engine-unreachable') && LOST.has(error.details['errno']);
    if (!wasLost || signal.aborted) throw error;
    try {
      return await connection.use(doing, signal, work);
    } catch (second) {
      throw isAgentContainersError(second, 'engine-unreachable') ? error : second;
    }
  }
}
