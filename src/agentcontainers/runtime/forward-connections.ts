import { linkedScope } from '../../async/abort.ts';
import { createTaskGroup } from '../../async/task-group.ts';
import { cancelled, errorMessage } from '../../errors.ts';
import { FORWARD_CONNECTIONS } from '../constants.ts';
import type { KnownForward } from '../model/forward.ts';
import type { LocalConnection } from '../ports.ts';
import { reachResident } from './reach-resident.ts';
import { relay } from './relay.ts';
import type { Runtime } from './runtime.ts';

/** The connections of one forward. Each goes through whoever serves the container when it comes. */
export interface ForwardConnections {
  accept(connection: LocalConnection): void;
  /** Ends them all, and takes no more. */
  close(): Promise<void>;
}

/** @param id of the devcontainer */
export function createForwardConnections(
  rt: Runtime,
  id: string,
  { host, port }: Pick<KnownForward, 'host' | 'port'>,
): ForwardConnections {
  const { logger } = rt.ports;
  const open = new Set<LocalConnection>();
  const scope = linkedScope();
  const tasks = createTaskGroup((error) =>
    logger.error({ err: error }, `Forwarding a connection failed: ${errorMessage(error)}`),
  );

  async function serve(local: LocalConnection): Promise<void> {
    const own = linkedScope(scope.signal);
    let isConnected = false;
    void local.closed.then(() => {
      // Later the relay sees to it: a close may leave something on its way to the other side.
      if (!isConnected) own.abort(cancelled('caller-left'));
    });
    try {
      const runtime = await reachResident(rt, id, own.signal);
      const remote = await runtime.connect(host, port, own.signal);
      isConnected = true;
      // It may have ended just then.
      if (own.signal.aborted) remote.close();
      await relay(local, remote);
    } catch (error) {
      logger.debug({ err: error, devcontainer: id }, `Forwarding a connection failed: ${errorMessage(error)}`);
      local.close();
    } finally {
      own.release();
      open.delete(local);
    }
  }

  return {
    accept(connection) {
      if (scope.signal.aborted || open.size >= FORWARD_CONNECTIONS) {
        connection.close();
        return;
      }
      open.add(connection);
      tasks.spawn('forwarded connection', () => serve(connection));
    },
    async close() {
      scope.abort(cancelled('deleted'));
      for (const connection of open) connection.close();
      await tasks.drain();
    },
  };
}
