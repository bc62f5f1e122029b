import type { ImageDetails, Platform } from '../agentcontainers/ports.ts';
import { isAgentContainersError } from '../errors.ts';
import { failed } from './engine-error.ts';
import { imagePath } from './engine-path.ts';
import type { EngineTransport } from './engine-transport.ts';
import { asRecord, asText, asTextRecord } from './json-values.ts';
import type { JsonRecord } from './json-values.ts';
import { sendForJson } from './read-reply.ts';

/** `undefined` when the engine does not have the image, or could not have one of this name. */
export async function inspectImage(
  transport: EngineTransport,
  image: string,
  signal: AbortSignal,
): Promise<ImageDetails | undefined> {
  try {
    const answer = await readImage(transport, image, signal);
    const id = asText(answer['Id']);
    if (!id) throw failed('engine-request-failed', inspecting(image), "the engine's answer has no id");
    return { id: fullImageId(id), platform: parsePlatform(answer), labels: labelsOf(answer) };
  } catch (error) {
    if (isAgentContainersError(error, 'engine-object-not-found')) return undefined;
    throw error;
  }
}

/** `engine-object-not-found`. */
export async function imagePlatform(transport: EngineTransport, image: string, signal: AbortSignal): Promise<Platform> {
  return parsePlatform(await readImage(transport, image, signal));
}

/** The engine's own answer. `engine-object-not-found`. */
export async function readImage(transport: EngineTransport, image: string, signal: AbortSignal): Promise<JsonRecord> {
  const path = imagePath(image, 'json');
  return asRecord(await sendForJson(transport, { doing: inspecting(image), method: 'GET', path, signal }));
}

/** An engine may leave out the algorithm, which others of its answers name. */
export function fullImageId(id: string): string {
  return /^[0-9a-f]{64}$/.test(id) ? `sha256:${id}` : id;
}

function inspecting(image: string): string {
  return `Inspecting image ${JSON.stringify(image.slice(0, 100))}`;
}

/** Podman gives the labels of the configuration a second time, and in some answers only there. */
function labelsOf(answer: JsonRecord): ImageDetails['labels'] {
  return asTextRecord(asRecord(answer['Config'])['Labels'] ?? answer['Labels']);
}

function parsePlatform(image: JsonRecord): Platform {
  const variant = asText(image['Variant']);
  return {
    operatingSystem: asText(image['Os']) || 'linux',
    architecture: asText(image['Architecture']),
    ...(variant && { variant }),
  };
}
