import { isAgentContainersError } from '../errors.ts';
import { objectPath } from './engine-path.ts';
import type { EngineTransport } from './engine-transport.ts';
import { listNetworks } from './list-by-label.ts';
import { sendForStatus } from './read-reply.ts';

const doing = 'Removing networks';

/** Removes the networks with all these labels; one that is in use or already gone is left alone. */
export async function removeNetworks(
  transport: EngineTransport,
  query: { readonly labels: readonly string[]; readonly signal: AbortSignal },
): Promise<void> {
  const { signal } = query;
  const remove = (nameOrId: string): Promise<number> =>
    sendForStatus(transport, { doing, method: 'DELETE', path: objectPath('networks', nameOrId), signal }, [403]);
  for (const { id, name } of await listNetworks(transport, query)) {
    try {
      // Podman removes a network that is in use when it is called by its id.
      await remove(name || id).catch((error: unknown) => {
        // Only where several may have one name.
        if (isAgentContainersError(error) && /ambiguous/i.test(error.message)) return remove(id);
        throw error;
      });
    } catch (error) {
      if (!isAgentContainersError(error, 'engine-conflict', 'engine-object-not-found')) throw error;
    }
  }
}
