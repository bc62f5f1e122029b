import type { ImageLabels } from '../agentcontainers/ports.ts';
import { failed } from './engine-error.ts';
import { objectPath } from './engine-path.ts';
import type { EngineTransport } from './engine-transport.ts';
import { fullImageId } from './inspect-image.ts';
import { asRecord, asText } from './json-values.ts';
import { sendForJson } from './read-reply.ts';

const PLAIN = /^[\w./:-]+$/;

/**
 * Makes an image without a name from the container's file system; what is in its volumes and bind mounts is not in it.
 * The image has the container's labels too: engines copy them.
 */
export async function commitContainer(
  transport: EngineTransport,
  id: string,
  image: ImageLabels,
  signal: AbortSignal,
): Promise<string> {
  const doing = `Keeping container ${id.slice(0, 12)} as an image`;
  // The path checks the id, which travels in the query here.
  objectPath('containers', id);
  const changes = asChanges(image.labels);
  const query = { container: id, pause: 'true', ...(changes && { changes }) };
  const body = { Labels: image.labels };
  const answer = asRecord(
    await sendForJson(transport, { doing, method: 'POST', path: '/commit', query, body, signal }),
  );
  const made = asText(answer['Id']);
  if (!made) throw failed('engine-request-failed', doing, 'the engine gave no image id');
  return fullImageId(made);
}

/** Podman takes labels only as lines of a Dockerfile, where most characters would need quoting: others are left out. */
function asChanges(labels: ImageLabels['labels']): string {
  return Object.entries(labels)
    .filter(([name, value]) => PLAIN.test(name) && PLAIN.test(value))
    .map(([name, value]) => `LABEL ${name}=${value}`)
    .join('\n');
}
