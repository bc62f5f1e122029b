import { isAgentContainersError } from '../errors.ts';
import { objectPath } from './engine-path.ts';
import type { EngineTransport } from './engine-transport.ts';
import { sendForStatus } from './read-reply.ts';

/** Gone already is success; `false` when a container uses it, running or not. */
export async function removeVolume(transport: EngineTransport, name: string, signal: AbortSignal): Promise<boolean> {
  const doing = `Removing volume ${JSON.stringify(name.slice(0, 100))}`;
  const path = objectPath('volumes', name);
  try {
    await sendForStatus(transport, { doing, method: 'DELETE', path, signal }, [404]);
    return true;
  } catch (error) {
    if (isAgentContainersError(error, 'engine-conflict')) return false;
    throw error;
  }
}
