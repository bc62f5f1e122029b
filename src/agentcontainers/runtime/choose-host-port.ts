import { AgentContainersError, isAgentContainersError } from '../../errors.ts';
import { forwardOfHostPort } from '../model/reduce-forward.ts';
import type { State } from '../model/state.ts';
import type { LocalConnection, LocalListening } from '../ports.ts';
import type { Runtime } from './runtime.ts';

/** Below it are those that are not for everyone. */
const FIRST_FREE = 1_024;
/** How often the system may give one that belongs to a forward which does not listen now. */
const TRIES = 20;

/**
 * Listens on the wanted port of the host, or, if none is named, on the same one as in the container, else on any. Ports of
 * forwards that exist are left to them, also while they cannot listen. `port-taken`, `listen-failed`.
 */
export async function chooseHostPort(
  rt: Runtime,
  wanted: { readonly port: number; readonly hostPort?: number | undefined },
  accept: (connection: LocalConnection) => void,
): Promise<LocalListening> {
  const { localListener } = rt.ports;
  const { port, hostPort } = wanted;
  if (hostPort !== undefined) {
    refuseUsed(rt.store.state, hostPort);
    return localListener.listen(hostPort, accept);
  }
  if (port >= FIRST_FREE && !forwardOfHostPort(rt.store.state, port)) {
    try {
      return await localListener.listen(port, accept);
    } catch (error) {
      if (!isAgentContainersError(error, 'port-taken', 'listen-failed')) throw error;
    }
  }
  for (let tries = 0; tries < TRIES; tries++) {
    const listening = await localListener.listen(0, accept);
    if (!forwardOfHostPort(rt.store.state, listening.port)) return listening;
    await listening.close();
  }
  throw new AgentContainersError(
    'listen-failed',
    'Listening on a free port failed: the system gives only ports that are in use by forwards. Name a host port.',
  );
}

function refuseUsed(state: State, hostPort: number): void {
  const used = forwardOfHostPort(state, hostPort);
  if (!used) return;
  const { host, port } = used.forward;
  throw new AgentContainersError(
    'port-taken',
    `Listening on 127.0.0.1:${hostPort} failed: it is the forward of ${used.entry.name} to ${host}:${port}. End that one, or choose another port.`,
  );
}
