import type { ContainerBlueprint } from '../agentcontainers/ports.ts';
import { AgentContainersError, isAgentContainersError } from '../errors.ts';
import { readBlueprint } from './blueprint.ts';
import type { BlueprintContent } from './blueprint.ts';
import { failed } from './engine-error.ts';
import { objectPath } from './engine-path.ts';
import type { EngineTransport } from './engine-transport.ts';
import { asRecord, asText, asTextRecord } from './json-values.ts';
import type { JsonRecord } from './json-values.ts';
import { sendForJson, sendForStatus } from './read-reply.ts';

/**
 * Makes the container and joins it to all its networks. One that an earlier call made from the same blueprint and image,
 * and that never ran, is taken over: the answer of that call may have been lost.
 *
 * Errors beside those of every call: `state-unreadable` for a blueprint that is none, `engine-conflict` when another
 * container has the name, `engine-object-not-found` when the image or a network is gone.
 */
export async function createContainer(
  transport: EngineTransport,
  blueprint: ContainerBlueprint,
  imageId: string,
  signal: AbortSignal,
): Promise<string> {
  const content = readBlueprint(blueprint);
  const doing = `Making container ${JSON.stringify(content.name)}`;
  const { id, isNew } = await createOrTakeOver(transport, doing, content, imageId, signal);
  try {
    await joinNetworks(transport, doing, id, content, signal);
  } catch (error) {
    // Without its networks it is not what was wanted. Best effort: what is left is taken over by the next call.
    if (isNew && !isAgentContainersError(error, 'engine-unreachable')) await discard(transport, doing, id, signal);
    throw error;
  }
  return id;
}

async function createOrTakeOver(
  transport: EngineTransport,
  doing: string,
  content: BlueprintContent,
  imageId: string,
  signal: AbortSignal,
): Promise<{ readonly id: string; readonly isNew: boolean }> {
  const { name } = content;
  const request = { doing, method: 'POST', path: '/containers/create', query: { name }, signal } as const;
  try {
    const answer = asRecord(await sendForJson(transport, { ...request, body: createBody(content, imageId) }));
    const id = asText(answer['Id']);
    if (!id) throw failed('engine-request-failed', doing, 'the engine gave no id');
    return { id, isNew: true };
  } catch (error) {
    if (!isAgentContainersError(error, 'engine-conflict', 'engine-request-failed')) throw error;
    const existing = await inspect(transport, doing, name, signal).catch(() => undefined);
    if (existing && isMadeFrom(existing, content, imageId)) return { id: asText(existing['Id']), isNew: false };
    // Podman answers 500.
    if (/\bname\b.* already in use/.test(error.message)) {
      throw new AgentContainersError('engine-conflict', error.message, { cause: error, details: error.details });
    }
    throw error;
  }
}

/** As {@link BlueprintContent} says, in the words of the create call. */
export function createBody({ config, hostConfig, labels, networks }: BlueprintContent, imageId: string): JsonRecord {
  const primary = primaryNetwork(hostConfig, networks);
  const endpoint = primary === undefined ? undefined : networks[primary];
  // Engines of before API 1.44 take one network here. On the default one most settings are refused, even empty ones.
  const hasSettings = endpoint !== undefined && Object.keys(endpoint).length > 0;
  return {
    ...config,
    Image: imageId,
    Labels: labels,
    HostConfig: hostConfig,
    ...(primary !== undefined && hasSettings && { NetworkingConfig: { EndpointsConfig: { [primary]: endpoint } } }),
  };
}

function primaryNetwork(hostConfig: JsonRecord, networks: BlueprintContent['networks']): string | undefined {
  const mode = asText(hostConfig['NetworkMode']);
  return Object.hasOwn(networks, mode) ? mode : undefined;
}

function isMadeFrom(existing: JsonRecord, content: BlueprintContent, imageId: string): boolean {
  const labels = asTextRecord(asRecord(existing['Config'])['Labels']);
  return (
    asText(existing['Name']).replace(/^\//, '') === content.name &&
    asText(asRecord(existing['State'])['Status']) === 'created' &&
    asText(existing['Image']).replace(/^sha256:/, '') === imageId.replace(/^sha256:/, '') &&
    Object.entries(content.labels).every(([name, value]) => labels[name] === value)
  );
}

/** The create call joins one network; the others follow one by one. */
async function joinNetworks(
  transport: EngineTransport,
  doing: string,
  id: string,
  content: BlueprintContent,
  signal: AbortSignal,
): Promise<void> {
  if (Object.keys(content.networks).length < 2) return;
  const settings = asRecord((await inspect(transport, doing, id, signal))['NetworkSettings']);
  for (const [name, endpoint] of Object.entries(content.networks)) {
    if (Object.hasOwn(asRecord(settings['Networks']), name)) continue;
    const path = objectPath('networks', name, 'connect');
    const body = { Container: id, EndpointConfig: endpoint };
    await sendForStatus(transport, { doing, method: 'POST', path, body, signal });
  }
}

async function inspect(
  transport: EngineTransport,
  doing: string,
  id: string,
  signal: AbortSignal,
): Promise<JsonRecord> {
  const path = objectPath('containers', id, 'json');
  return asRecord(await sendForJson(transport, { doing, method: 'GET', path, signal }));
}

async function discard(transport: EngineTransport, doing: string, id: string, signal: AbortSignal): Promise<void> {
  const path = objectPath('containers', id);
  // Its volumes are those of the container that it replaces.
  const query = { v: 'false', force: 'true' };
  await sendForStatus(transport, { doing, method: 'DELETE', path, query, signal }, [404]).catch(() => {});
}
