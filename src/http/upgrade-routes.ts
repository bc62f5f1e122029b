import { HttpRefusal } from './error-status.ts';
import { MOUNT_PATH } from './mount-path.ts';
import { pathOf, readId } from './request-input.ts';

/** Where a WebSocket of what runs in a container is asked for. */
export type RuntimeAddress =
  | { readonly kind: 'exec' | 'pty'; readonly id: string }
  | { readonly kind: 'attach'; readonly id: string; readonly processId: string };

const IN_CONTAINER = String.raw`devcontainers/([^/]*)/(?:(exec|pty)|processes/([^/]*)/attach)`;
const SERVED = new RegExp(`^/(?:watch|${IN_CONTAINER})/?$`);
const ADDRESS = new RegExp(`(?:^|/)${IN_CONTAINER}/?$`);

/** Under whatever mount point. */
export function isWatchUpgrade(url: string): boolean {
  return /\/watch\/?$/.test(pathOf(url));
}

/** True for the WebSockets of the app, below its mount path and its alias. */
export function isServedUpgrade(url: string): boolean {
  const path = pathOf(url);
  if (path.startsWith(`${MOUNT_PATH}/`)) return SERVED.test(path.slice(MOUNT_PATH.length));
  return path.startsWith('/devcontainers/') && SERVED.test(path);
}

/** The address under whatever mount point. Throws what is to be answered when there is none. */
export function readRuntimeAddress(url: string): RuntimeAddress {
  const match = ADDRESS.exec(pathOf(url));
  if (!match) throw new HttpRefusal('route-not-found', 'There is no WebSocket at this address.');
  const [, id, kind, processId] = match;
  const params = { id: decode(id), process: decode(processId) };
  if (kind !== undefined) return { kind: kind as 'exec' | 'pty', id: readId(params, 'id') };
  return { kind: 'attach', id: readId(params, 'id'), processId: readId(params, 'process') };
}

function decode(part: string | undefined): string | undefined {
  try {
    return part && decodeURIComponent(part);
  } catch {
    throw new HttpRefusal('malformed-url');
  }
}
