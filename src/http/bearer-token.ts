import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

/** Knows a bearer token when it is shown. Only its digest is kept. */
export class BearerToken {
  readonly #digest: Buffer;

  constructor(token: string) {
    this.#digest = digest(token);
  }

  isShownBy(req: IncomingMessage): boolean {
    const shown = /^Bearer +([^\s]+) *$/i.exec(req.headers.authorization ?? '')?.[1];
    // Digests have one length, so the time of the comparison tells nothing.
    return shown !== undefined && timingSafeEqual(digest(shown), this.#digest);
  }
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
