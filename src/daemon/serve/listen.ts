import { chmod, lstat, unlink } from 'node:fs/promises';
import type { Server } from 'node:http';
import { AgentContainersError, errorMessage } from '../../errors.ts';
import { createDaemonClient } from '../client/client.ts';
import { formatAddress, type ListenAddress } from '../listen-address.ts';

/** Listens on a Unix socket that only its owner can open. The file of a daemon that is gone is replaced. */
export async function listenOnSocket(server: Server, path: string): Promise<void> {
  await removeStaleSocket(path);
  // The file is made inside `listen`, before it returns: with this mask there is no moment in which others can open it.
  const mask = process.umask(0o177);
  try {
    await started(server, () => server.listen(path), path);
  } finally {
    process.umask(mask);
  }
  await chmod(path, 0o600);
}

/** Resolves with the address that was taken, in which port 0 is replaced by the real one. */
export async function listenOnTcp(server: Server, address: ListenAddress): Promise<ListenAddress> {
  await started(server, () => server.listen(address.port, address.host), formatAddress(address));
  const bound = server.address();
  return { host: address.host, port: typeof bound === 'object' && bound !== null ? bound.port : address.port };
}

function started(server: Server, listen: () => void, where: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const refused = (error: NodeJS.ErrnoException): void => {
      const next =
        error.code === 'EADDRINUSE' ? 'Another program uses it; choose another address.' : 'Choose another address.';
      reject(
        new AgentContainersError('invalid-request', `Listening on ${where} failed: ${errorMessage(error)}. ${next}`, {
          cause: error,
        }),
      );
    };
    server.once('error', refused);
    server.once('listening', () => {
      server.off('error', refused);
      resolve();
    });
    listen();
  });
}

async function removeStaleSocket(path: string): Promise<void> {
  const stat = await lstat(path).catch(() => undefined);
  if (stat === undefined) return;
  if (!stat.isSocket()) {
    throw new AgentContainersError(
      'invalid-request',
      `Listening on ${path} failed: there is a file that is no socket. Give another --socket.`,
    );
  }
  if (await createDaemonClient(path).answers()) {
    throw new AgentContainersError(
      'state-locked',
      `Listening on ${path} failed: another daemon answers there. Stop it, or give another --socket.`,
    );
  }
  await unlink(path);
}
