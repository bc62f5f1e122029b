import type { IncomingMessage } from 'node:http';
import type { Clock } from '../clock/clock.ts';
import { AgentContainersError } from '../errors.ts';
import { BearerToken } from './bearer-token.ts';
import { HttpRefusal } from './error-status.ts';
import { ExpiringSecrets } from './expiring-secrets.ts';
import { isAllowedHost } from './host-names.ts';
import { LIMITS } from './limits.ts';
import { LoginHost } from './login-host.ts';
import { pathOf, searchOf } from './request-input.ts';
import { assertSameOrigin } from './same-origin.ts';

/**
 * Whom a listening server lets in. `socket`: whoever could open it, as the mode of the socket's file decides.
 * `token`: whoever shows the bearer token or the cookie of a login.
 */
export type Trust = 'socket' | 'token';

export interface CallerGuardOptions {
  /** Bearer token, at least 32 characters; 256 random bits are meant. Needed for servers with trust `token`. */
  readonly token?: string | undefined;
  /** Beside loopback names and addresses: `name` or `name:port`. */
  readonly allowedHosts?: readonly string[] | undefined;
  /** Beside the server's own: origins such as `https://ide.example`. */
  readonly allowedOrigins?: readonly string[] | undefined;
  /** Default one hour. */
  readonly loginCodeTtlMs?: number | undefined;
  /** How long a browser stays logged in after its last request. Default 12 hours. */
  readonly sessionTtlMs?: number | undefined;
}

/** Followed by `_` and the port on which the daemon listens. */
export const COOKIE = 'agentcontainers_session';
const MIN_TOKEN_CHARS = 32;

/** Who may call. The same checks for requests and for upgrades. */
export class CallerGuard {
  readonly #token: BearerToken | undefined;
  readonly #hosts: ReadonlySet<string>;
  readonly #origins: ReadonlySet<string>;
  readonly #loginHost: LoginHost;
  readonly #codes: ExpiringSecrets;
  readonly #sessions: ExpiringSecrets;

  constructor(clock: Clock, options: CallerGuardOptions) {
    if (options.token !== undefined && options.token.length < MIN_TOKEN_CHARS) {
      throw new AgentContainersError(
        'broken-contract',
        `Setting up the server failed: the token has fewer than ${MIN_TOKEN_CHARS} characters.`,
      );
    }
    this.#token = options.token === undefined ? undefined : new BearerToken(options.token);
    this.#hosts = new Set(options.allowedHosts?.map((host) => host.toLowerCase()));
    this.#loginHost = new LoginHost(this.#hosts);
    this.#origins = new Set(options.allowedOrigins?.map((origin) => new URL(origin).origin));
    this.#codes = new ExpiringSecrets(clock, options.loginCodeTtlMs ?? LIMITS.loginCodeTtlMs, LIMITS.secrets);
    this.#sessions = new ExpiringSecrets(clock, options.sessionTtlMs ?? LIMITS.sessionTtlMs, LIMITS.secrets);
  }

  get hasToken(): boolean {
    return this.#token !== undefined;
  }

  /** Throws when the request comes from a page that has no business here. Needs no secret, so it runs first. */
  checkSource(req: IncomingMessage, trust: Trust): void {
    // No page reaches a Unix socket, and its clients put any name there.
    if (trust === 'token' && !isAllowedHost(req.headers.host, this.#hosts)) {
      throw new HttpRefusal('host-not-allowed', 'This server answers under localhost and loopback addresses only.');
    }
    assertSameOrigin(req, this.#origins);
    if (!this.#isFetchAllowed(req)) {
      throw new HttpRefusal('cross-site', 'Pages of other origins may not call this API.');
    }
  }

  /** Throws when the caller shows neither token nor session. */
  authenticate(req: IncomingMessage, trust: Trust): void {
    if (trust === 'socket' || this.#token?.isShownBy(req) === true || this.#hasSession(req)) return;
    throw new HttpRefusal(
      'not-authenticated',
      'Send `Authorization: Bearer <token>`, or open the link that the daemon prints. A login counts under its name only.',
      { 'www-authenticate': 'Bearer realm="agentcontainers"' },
    );
  }

  /**
   * `<origin>/login?code=…`, good for one use, of a server that is reached at `url`. See `LoginHost` for the origin.
   * `undefined` when a browser could not be logged in there.
   */
  createLoginLink(url: string): string | undefined {
    const origin = this.#loginHost.originFor(url);
    return origin === undefined ? undefined : `${origin}/login?code=${this.#codes.issue()}`;
  }

  /** Exchanges the code of a login link for the value of a `Set-Cookie` header. */
  login(req: IncomingMessage, secure: boolean): string {
    // First: under another name it must not be used up. The name is not told, since whoever asks may not know it.
    if (!this.#loginHost.isMeant(req.headers.host)) {
      throw new HttpRefusal(
        'login-code-invalid',
        'Open the link as it was printed: it works under its own host name only, not under an address or localhost.',
      );
    }
    const code = new URLSearchParams(searchOf(req.url ?? '')).get('code') ?? '';
    // A browser that loads ahead of its user must not use the code up.
    const ahead = `${String(req.headers['sec-purpose'] ?? '')} ${String(req.headers['purpose'] ?? '')}`;
    if (/prefetch|prerender/i.test(ahead) || !this.#codes.redeem(code)) {
      throw new HttpRefusal(
        'login-code-invalid',
        'Each link works once and for a while. The daemon prints a new one when it is started again.',
      );
    }
    return `${cookieName(req)}=${this.#sessions.issue()}; Path=/; HttpOnly; SameSite=Strict${secure ? '; Secure' : ''}`;
  }

  /** Absent: no browser, or an old one, which the `Origin` check covers. */
  #isFetchAllowed(req: IncomingMessage): boolean {
    const site = req.headers['sec-fetch-site'];
    if (site === undefined || site === 'same-origin' || site === 'none') return true;
    if (typeof req.headers.origin === 'string' && this.#origins.has(req.headers.origin.toLowerCase())) return true;
    // A link to a page may stand anywhere. The cookie does not come along with it.
    const path = pathOf(req.url ?? '');
    return (
      req.method === 'GET' &&
      (path === '/' || path === '/login') &&
      req.headers['sec-fetch-mode'] === 'navigate' &&
      req.headers['sec-fetch-dest'] === 'document'
    );
  }

  #hasSession(req: IncomingMessage): boolean {
    if (!this.#loginHost.isMeant(req.headers.host)) return false;
    const own = cookieName(req);
    for (const part of (req.headers.cookie ?? '').split(';')) {
      const [name, value] = part.trim().split('=', 2);
      if (name === own && value !== undefined && this.#sessions.renew(value)) return true;
    }
    return false;
  }
}

/** Browsers tell hosts apart, not ports: with one name for all, each login would end that at another daemon. */
function cookieName(req: IncomingMessage): string {
  const port = req.socket.localPort;
  return port === undefined ? COOKIE : `${COOKIE}_${port}`;
}
