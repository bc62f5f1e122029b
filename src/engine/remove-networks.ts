import { AgentContainersError } from '../errors.ts';
import { objectPath } from './engine-path.ts';
import type { EngineTransport } from './engine-transport.ts';
import { asList, asRecord, asText } from './json-values.ts';
import { sendForJson, sendForStatus } from './read-reply.ts';

/** Removes the networks with all these labels; one that is in use (403 or 409) or already gone (404) is left alone. */
export async function removeNetworks(
  transport: EngineTransport,
  query: { readonly labels: readonly string[]; readonly signal: AbortSignal },
): Promise<void> {
  const { labels, signal } = query;
  if (labels.length === 0) {
    throw new AgentContainersError('broken-contract', 'Removing networks failed: no label says which ones.');
  }
  const doing = 'Removing networks';
  const filters = JSON.stringify({ label: labels });
  const found = await sendForJson(transport, { doing, method: 'GET', path: '/networks', query: { filters }, signal });
  for (const network of asList(found)) {
    const path = objectPath('networks', asText(asRecord(network)['Id']));
    await sendForStatus(transport, { doing, method: 'DELETE', path, signal }, [403, 404, 409]);
  }
}
