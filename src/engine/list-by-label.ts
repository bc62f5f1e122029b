import { AgentContainersError } from '../errors.ts';
import type { EngineTransport } from './engine-transport.ts';
import { fullImageId } from './inspect-image.ts';
import { asList, asRecord, asText, asTextRecord } from './json-values.ts';
import type { JsonRecord } from './json-values.ts';
import { sendForJson } from './read-reply.ts';

interface LabelQuery {
  readonly labels: readonly string[];
  readonly signal: AbortSignal;
}

/** Names of volumes with all these labels. */
export async function listVolumes(transport: EngineTransport, query: LabelQuery): Promise<string[]> {
  const answer = asRecord(await listByLabel(transport, 'Listing volumes', '/volumes', query));
  return carrying(answer['Volumes'], query).flatMap((volume) => asText(volume['Name']) || []);
}

/** Ids of images with all these labels. */
export async function listImages(transport: EngineTransport, query: LabelQuery): Promise<string[]> {
  const answer = await listByLabel(transport, 'Listing images', '/images/json', query);
  const ids = carrying(answer, query).flatMap((image) => asText(image['Id']) || []);
  return [...new Set(ids.map(fullImageId))];
}

/** Networks with all these labels. Several may have one name, so only the id says which. */
export async function listNetworks(
  transport: EngineTransport,
  query: LabelQuery,
): Promise<{ readonly id: string; readonly name: string }[]> {
  const answer = await listByLabel(transport, 'Listing networks', '/networks', query);
  return carrying(answer, query)
    .map((network) => ({ id: asText(network['Id']), name: asText(network['Name']) }))
    .filter(({ id }) => id !== '');
}

/** Whether an object carries all the labels that were asked for, each `k` or `k=v`. */
function carriesLabels(own: Readonly<Record<string, string>>, asked: readonly string[]): boolean {
  return asked.every((label) => {
    const at = label.indexOf('=');
    if (at < 0) return Object.hasOwn(own, label);
    const name = label.slice(0, at);
    return Object.hasOwn(own, name) && own[name] === label.slice(at + 1);
  });
}

/** What is listed is going to be removed: without a label it would be everything that the engine has. */
function listByLabel(
  transport: EngineTransport,
  doing: string,
  path: string,
  { labels, signal }: LabelQuery,
): Promise<unknown> {
  if (labels.length === 0) {
    throw new AgentContainersError('broken-contract', `${doing} failed: no label says which ones.`);
  }
  // Of several, Podman lists volumes that carry any of them, and images never: the others are seen to here.
  const filters = JSON.stringify({ label: labels.slice(0, 1) });
  return sendForJson(transport, { doing, method: 'GET', path, query: { filters }, signal });
}

/** Those that carry all the labels. */
function carrying(listed: unknown, { labels }: LabelQuery): JsonRecord[] {
  return asList(listed)
    .map(asRecord)
    .filter((entry) => carriesLabels(asTextRecord(entry['Labels']), labels));
}
