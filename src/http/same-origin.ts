import type { IncomingMessage } from 'node:http';
import { HttpRefusal } from './error-status.ts';

/**
 * Refuses what a page of another origin sends. Programs that are no browsers send no `Origin`, and pass.
 * @param allowed further origins, as `new URL(…).origin` writes them
 */
export function assertSameOrigin(req: IncomingMessage, allowed: ReadonlySet<string> = new Set()): void {
  const { origin } = req.headers;
  if (origin === undefined) return;
  if (allowed.has(origin.toLowerCase())) return;
  if (!isOwn(origin, req.headers.host)) {
    throw new HttpRefusal('origin-not-allowed', 'Pages of other origins may not call this API.');
  }
}

function isOwn(origin: string, host: string | undefined): boolean {
  // `null`, the origin of sandboxed pages, is no URL.
  if (host === undefined || !URL.canParse(origin)) return false;
  const from = new URL(origin);
  if (from.protocol !== 'http:' && from.protocol !== 'https:') return false;
  // The URL takes away the default port and the case, on both sides alike.
  const own = `${from.protocol}//${host}`;
  return URL.canParse(own) && new URL(own).host === from.host;
}
