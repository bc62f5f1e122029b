import { createServer, type Server } from 'node:net';
import type { LocalConnection, LocalListener, LocalListening } from '../agentcontainers/ports.ts';
import { createDeferred } from '../async/deferred.ts';
import { AgentContainersError, errorMessage, type ErrorCode } from '../errors.ts';
import { socketConnection } from './socket-connection.ts';

/** The only address: what listens on it is not seen by other machines. */
const ADDRESS = '127.0.0.1';

export function createLocalListener(): LocalListener {
  return {
    async listen(port, accept) {
      const server = createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true });
      await started(server, port);
      return listening(server, accept);
    },
  };
}

function listening(server: Server, accept: (connection: LocalConnection) => void): LocalListening {
  const open = new Set<LocalConnection>();
  const ended = createDeferred<Error | undefined>();
  const closed = createDeferred<void>();
  const address = server.address();

  function close(): void {
    server.close(() => closed.resolve());
    for (const connection of open) connection.close();
  }
  server.on('connection', (socket) => {
    const connection = socketConnection(socket);
    open.add(connection);
    void connection.closed.then(() => open.delete(connection));
    accept(connection);
  });
  server.on('error', (error) => {
    ended.resolve(error);
    close();
  });

  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    ended: ended.promise,
    close() {
      ended.resolve(undefined);
      close();
      return closed.promise;
    },
  };
}

function started(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const refused = (error: NodeJS.ErrnoException): void => reject(refusal(port, error));
    server.once('error', refused);
    server.listen({ port, host: ADDRESS, exclusive: true }, () => {
      server.off('error', refused);
      resolve();
    });
  });
}

function refusal(port: number, error: NodeJS.ErrnoException): AgentContainersError {
  const doing = `Listening on ${ADDRESS}:${port} failed`;
  const made = (code: ErrorCode, reason: string): AgentContainersError =>
    new AgentContainersError(code, `${doing}: ${reason}`, { cause: error });
  if (error.code === 'EADDRINUSE') {
    return made('port-taken', 'another program uses the port. End that program, or choose another port.');
  }
  if (error.code === 'EACCES' || error.code === 'EPERM') {
    return made('listen-failed', 'this port is not for everyone. Choose one above 1023.');
  }
  return made('listen-failed', `${errorMessage(error)}. Try again later.`);
}
