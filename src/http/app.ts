import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer as createPlainServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { Duplex } from 'node:stream';
import type { AgentContainers } from '../agentcontainers/api.ts';
import type { Clock } from '../clock/clock.ts';
import { systemClock } from '../clock/system-clock.ts';
import { AgentContainersError } from '../errors.ts';
import { silentLogger } from '../logger.ts';
import type { Arrival } from './build-app.ts';
import { buildApp } from './build-app.ts';
import type { CallerGuardOptions, Trust } from './caller-guard.ts';
import { CallerGuard } from './caller-guard.ts';
import { HttpRefusal } from './error-status.ts';
import { LIMITS } from './limits.ts';
import { refuseBrokenRequest } from './refuse-broken-request.ts';
import { refuseUpgrade } from './responses.ts';
import type { ContainersRouter, RouterOptions } from './router.ts';
import { createRouter } from './router.ts';
import { isServedUpgrade } from './upgrade-routes.ts';

export interface AppOptions extends Omit<RouterOptions, 'authorizeUpgrade'>, CallerGuardOptions {}

export interface AppServerOptions {
  readonly trust: Trust;
  /** PEM. Serves HTTPS, and cookies become `Secure`. */
  readonly tls?: { readonly cert: string | Buffer; readonly key: string | Buffer } | undefined;
}

/** What the daemon serves: the router, its alias, the OpenAPI document and a start page, behind "who may call". */
export interface ContainersApp {
  /** A server that does not listen yet. Several can share one app; each says whom it trusts. */
  createServer(options: AppServerOptions): Server;
  /**
   * The link with which a browser logs in at a server that is reached at `url`, such as `http://127.0.0.1:7420`. Works
   * once, for a while; answers with the cookie of a session. On this machine it is under a name of its own,
   * `ac-<random>.localhost`, the same for the life of the app, and the cookie counts only there: every port of 127.0.0.1
   * and localhost would get to see it. `undefined` for loopback addresses to which such a name does not lead, and for
   * names that are not allowed.
   */
  createLoginLink(url: string): string | undefined;
  /** Ends streams, WebSockets and servers. Idempotent. Open requests get two seconds. */
  close(): Promise<void>;
}

export function createApp(api: AgentContainers, options: AppOptions = {}): ContainersApp {
  const clock = options.clock ?? systemClock;
  const logger = options.logger ?? silentLogger;
  const guard = new CallerGuard(clock, options);
  // By which server a request came in; not read from the request, which could lie.
  const arrivals = new WeakMap<IncomingMessage, Arrival>();
  const arrivalOf = (req: IncomingMessage): Arrival => arrivals.get(req) ?? { trust: 'token', secure: false };
  const router = createRouter(api, {
    ...options,
    authorizeUpgrade(req) {
      const { trust } = arrivalOf(req);
      guard.checkSource(req, trust);
      guard.authenticate(req, trust);
    },
  });
  const app = buildApp({ api, guard, logger, router, arrivalOf });
  const servers = new Set<Server>();
  let closing: Promise<void> | undefined;

  return {
    createServer({ trust, tls }) {
      if (trust === 'token' && !guard.hasToken) {
        throw new AgentContainersError('broken-contract', 'Creating a server failed: trust "token" needs a token.');
      }
      const answering = new WeakMap<Duplex, ServerResponse>();
      const onRequest = (req: IncomingMessage, res: ServerResponse): void => {
        answering.set(req.socket, res);
        arrivals.set(req, { trust, secure: tls !== undefined });
        app(req, res);
      };
      const timeouts = {
        headersTimeout: LIMITS.headMs,
        requestTimeout: LIMITS.requestMs,
        connectionsCheckingInterval: LIMITS.timesCheckMs,
      };
      const server = tls ? createTlsServer({ ...tls, ...timeouts }, onRequest) : createPlainServer(timeouts, onRequest);
      server.maxConnections = LIMITS.connections;
      server.on('clientError', (error: Error, socket: Duplex) =>
        refuseBrokenRequest(error, socket, answering.get(socket), clock),
      );
      server.on('upgrade', (req: IncomingMessage, socket: Duplex, head: Buffer) => {
        arrivals.set(req, { trust, secure: tls !== undefined });
        upgrade(req, socket, head);
      });
      servers.add(server);
      server.once('close', () => servers.delete(server));
      return server;
    },
    createLoginLink: (url) => guard.createLoginLink(url),
    async close() {
      closing ??= closeAll(router, servers, clock);
      await closing;
    },
  };

  function upgrade(req: IncomingMessage, socket: Duplex, head: Buffer): void {
    if (isServedUpgrade(req.url ?? '')) return router.handleUpgrade(req, socket, head);
    socket.on('error', () => {});
    try {
      const { trust } = arrivalOf(req);
      guard.checkSource(req, trust);
      guard.authenticate(req, trust);
      throw new HttpRefusal('route-not-found', 'There is no WebSocket at this address.');
    } catch (error) {
      refuseUpgrade(req, socket, error, logger);
    }
  }
}

async function closeAll(router: ContainersRouter, servers: ReadonlySet<Server>, clock: Clock): Promise<void> {
  // First, so that nobody is let in while streams end.
  const closed = [...servers].map((server) => closeServer(server, clock));
  await router.close();
  await Promise.all(closed);
}

function closeServer(server: Server, clock: Clock): Promise<void> {
  return new Promise((resolve) => {
    const timer = clock.afterFunc(LIMITS.closeGraceMs, () => server.closeAllConnections(), 'http: close a server');
    // Called with an error when the server never listened, which is just as well.
    server.close(() => {
      timer.stop();
      resolve();
    });
    server.closeIdleConnections();
  });
}
