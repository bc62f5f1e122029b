import { AgentContainersError } from '../errors.ts';

const OBJECT_NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,255}$/;
const IMAGE_NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.:/@-]{0,511}$/;

/** An id, or a name that an engine accepts for a container, a network or a volume. */
export function isObjectName(text: string): boolean {
  return OBJECT_NAME.test(text);
}

/**
 * The request path of one engine object. Ids and names come from people and labels, so one that could lead to another
 * path is refused before any request.
 *
 * @throws `engine-object-not-found`.
 */
export function objectPath(
  kind: 'containers' | 'exec' | 'networks' | 'volumes',
  id: string,
  ...rest: string[]
): string {
  if (!isObjectName(id)) throw notFound(id, 'that is no id or name of an engine object');
  return ['', kind, id, ...rest].join('/');
}

/** @throws `engine-object-not-found`. */
export function imagePath(image: string, ...rest: string[]): string {
  if (!IMAGE_NAME.test(image) || image.split('/').some((part) => part === '' || part === '.' || part === '..')) {
    throw notFound(image, 'that is no name of an image');
  }
  return ['', 'images', image, ...rest].join('/');
}

function notFound(name: string, reason: string): AgentContainersError {
  return new AgentContainersError(
    'engine-object-not-found',
    `Looking for ${JSON.stringify(name.slice(0, 100))} failed: ${reason}.`,
  );
}
