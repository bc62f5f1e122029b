import { randomBytes } from 'node:crypto';
import { isAllowedHost, isLocalName, parseHostHeader } from './host-names.ts';

/** 128 bits; with its prefix well below the 63 characters of a label. */
const NAME_BYTES = 16;

/** As `URL` writes them: where a browser looks for a name under `localhost`. */
const SAME_PLACE: ReadonlySet<string> = new Set(['127.0.0.1', '[::1]', 'localhost']);

/**
 * Under which host names a browser may be logged in. Cookies know no ports: one for 127.0.0.1 or localhost would go along
 * to everything that is served there, such as what a container serves behind a port forward, and whoever reads it there
 * could use it here. So on this machine there is one name of our own, which nobody else knows. Names that are allowed for
 * other machines count as they are; forwards do not listen there.
 */
export class LoginHost {
  /** `ac-<32 hex>.localhost`. Browsers take it to loopback without asking anybody. */
  readonly name = `ac-${randomBytes(NAME_BYTES).toString('hex')}.localhost`;
  readonly #allowed: ReadonlySet<string>;

  /** @param allowed see `isAllowedHost` */
  constructor(allowed: ReadonlySet<string>) {
    this.#allowed = allowed;
  }

  /** Whether a request with this `Host` may log in and show a session. */
  isMeant(header: string | undefined): boolean {
    const host = header === undefined ? undefined : parseHostHeader(header);
    if (!host) return false;
    return isLocalName(host.name) ? host.name === this.name : isAllowedHost(header, this.#allowed);
  }

  /** The origin to log in at, of a server that is reached at `url`; `undefined` when there is none. */
  originFor(url: string): string | undefined {
    if (!URL.canParse(url)) return undefined;
    const at = new URL(url);
    if (SAME_PLACE.has(at.hostname)) at.hostname = this.name;
    return this.isMeant(at.host) ? at.origin : undefined;
  }
}
