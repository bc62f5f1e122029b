import { sleep } from '../async/abort.ts';
import type { Clock } from '../clock/clock.ts';
import { isAgentContainersError } from '../errors.ts';
import { failed } from './engine-error.ts';
import { objectPath } from './engine-path.ts';
import type { EngineTransport } from './engine-transport.ts';
import { sendForJson, sendForStatus } from './read-reply.ts';

const POLL_MS = 100;
const MAX_POLLS = 300;

/** Resolves when the container is gone, also when somebody else is already removing it. */
export async function removeContainer(
  transport: EngineTransport,
  clock: Clock,
  id: string,
  options: { readonly volumes: boolean; readonly force: boolean; readonly signal: AbortSignal },
): Promise<void> {
  const { volumes, force, signal } = options;
  const doing = `Removing container ${id.slice(0, 12)}`;
  const query = { v: String(volumes), force: String(force) };
  try {
    await sendForStatus(
      transport,
      { doing, method: 'DELETE', path: objectPath('containers', id), query, signal },
      [404],
    );
    return;
  } catch (error) {
    const inProgress = isAgentContainersError(error, 'engine-conflict') && /already in progress/i.test(error.message);
    if (!inProgress) throw error;
  }
  for (let polls = 0; polls < MAX_POLLS; polls++) {
    if (!(await exists(transport, id, doing, signal))) return;
    await sleep(clock, POLL_MS, signal, 'remove-container');
  }
  const limit = (POLL_MS * MAX_POLLS) / 1000;
  throw failed('engine-conflict', doing, `a removal that was in progress has not ended after ${limit} s`, 'Try again.');
}

async function exists(transport: EngineTransport, id: string, doing: string, signal: AbortSignal): Promise<boolean> {
  try {
    await sendForJson(transport, { doing, method: 'GET', path: objectPath('containers', id, 'json'), signal });
    return true;
  } catch (error) {
    if (isAgentContainersError(error, 'engine-object-not-found')) return false;
    throw error;
  }
}
