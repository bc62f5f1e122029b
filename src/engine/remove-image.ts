import { isAgentContainersError } from '../errors.ts';
import { imagePath } from './engine-path.ts';
import type { EngineTransport } from './engine-transport.ts';
import { readImage } from './inspect-image.ts';
import { asList, asText } from './json-values.ts';
import type { JsonRecord } from './json-values.ts';
import { sendForStatus } from './read-reply.ts';

/**
 * Removes an image by its id, unless it is in use by a container or another image, or somebody has given it a name
 * since: removing by id would take that name away.
 */
export async function removeImage(transport: EngineTransport, id: string, signal: AbortSignal): Promise<void> {
  const doing = `Removing image ${id.slice(0, 19)}`;
  try {
    if (hasName(await readImage(transport, id, signal))) return;
    // Never with force, which on Podman removes the containers of the image too; never its parents, which are not ours.
    const query = { force: 'false', noprune: 'true' };
    await sendForStatus(transport, { doing, method: 'DELETE', path: imagePath(id), query, signal }, [404]);
  } catch (error) {
    if (!isAgentContainersError(error, 'engine-object-not-found', 'engine-conflict')) throw error;
  }
}

function hasName(image: JsonRecord): boolean {
  return asList(image['RepoTags']).some((tag) => asText(tag) !== '' && asText(tag) !== '<none>:<none>');
}
