import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { NextFunction, Request, Response, Router } from 'express';
import express from 'express';
import type { AgentContainers } from '../agentcontainers/api.ts';
import type { Clock } from '../clock/clock.ts';
import { systemClock } from '../clock/system-clock.ts';
import type { Logger } from '../logger.ts';
import { silentLogger } from '../logger.ts';
import { HttpRefusal } from './error-status.ts';
import { jsonBody } from './json-body.ts';
import { LIMITS } from './limits.ts';
import { closed, OpenStreams } from './open-streams.ts';
import { missingId, pathOf } from './request-input.ts';
import { sendError } from './responses.ts';
import type { Route, RoutedRequest, RoutePorts } from './route.ts';
import { ROUTES } from './routes.ts';
import type { RuntimeSocketOptions } from './runtime-sockets.ts';
import { RuntimeSockets } from './runtime-sockets.ts';
import { assertSameOrigin } from './same-origin.ts';
import { isWatchUpgrade, readRuntimeAddress } from './upgrade-routes.ts';
import { checkUpload, cutUpload } from './upload.ts';
import type { WatchOptions } from './watch-clients.ts';
import { WatchClients } from './watch-clients.ts';
import { WatchSockets } from './watch-sockets.ts';

export interface RouterOptions extends WatchOptions, RuntimeSocketOptions {
  /** Default: the wall clock. */
  readonly clock?: Clock | undefined;
  /** Default: none. */
  readonly logger?: Logger | undefined;
  /** Requests that stream a log, output, a search or a file, together. Default 100. */
  readonly maxStreams?: number | undefined;
  /**
   * Runs before an upgrade to a WebSocket is looked at; throws to refuse it. Middleware of express does not see upgrades,
   * so an embedder who authenticates requests has to do it here as well. Default: a page of another origin is refused.
   */
  readonly authorizeUpgrade?: ((req: IncomingMessage) => void) | undefined;
}

/** An express router, to be mounted where the embedder likes: `app.use('/containers', router)`. */
export interface ContainersRouter {
  (req: IncomingMessage, res: ServerResponse, next: (error?: unknown) => void): void;
  /**
   * For the server's `upgrade` event. Serves every path that ends as one of the documented WebSockets does and refuses
   * others; a server with further WebSockets decides by path whom to ask.
   */
  handleUpgrade(req: IncomingMessage, socket: Duplex, head: Buffer): void;
  /** Ends WebSockets (1001) and streams, and lets commands run on; answers 503 from then on. Idempotent. */
  close(): Promise<void>;
}

/**
 * The HTTP interface over `api`. It checks what is sent, not who sends it: put your own authentication in front, or use
 * `createApp`, which has it.
 */
export function createRouter(api: AgentContainers, options: RouterOptions = {}): ContainersRouter {
  const clock = options.clock ?? systemClock;
  const logger = options.logger ?? silentLogger;
  const watchers = new WatchClients(api, clock, options);
  const watchSockets = new WatchSockets(watchers, clock, logger);
  const runtimeSockets = new RuntimeSockets({ api, clock, logger }, options);
  const streams = new OpenStreams(options.maxStreams ?? LIMITS.streams, clock);
  const pingIntervalMs = options.pingIntervalMs ?? LIMITS.pingIntervalMs;
  const ports: RoutePorts = { api, clock, logger, streams, watchers, pingIntervalMs };
  const authorize = options.authorizeUpgrade ?? assertSameOrigin;
  let closing: Promise<unknown> | undefined;

  const throwIfClosing = (): void => {
    if (closing) throw closed();
  };

  return Object.assign(buildRouter(ports, throwIfClosing) as unknown as ContainersRouter, {
    handleUpgrade(req: IncomingMessage, socket: Duplex, head: Buffer): void {
      const url = req.url ?? '';
      const check = (): void => {
        authorize(req);
        throwIfClosing();
      };
      if (isWatchUpgrade(url)) {
        void watchSockets.accept(req, socket, head, check);
        return;
      }
      void runtimeSockets.accept(req, socket, head, () => {
        check();
        return readRuntimeAddress(url);
      });
    },
    async close(): Promise<void> {
      closing ??= Promise.all([watchers.close(), runtimeSockets.close(), streams.close()]);
      await closing;
    },
  });
}

/** @internal For the test that compares routes with the document. */
export function buildRouter(ports: RoutePorts, throwIfClosing: () => void): Router {
  const { clock, logger } = ports;
  const readBody = jsonBody(clock);
  const router = express.Router();
  router.use((req, _res, next) => {
    throwIfClosing();
    // An empty segment matches no parameter, so it would look like an unknown route.
    if (/^\/devcontainers(?:\/container)?\/\//.test(pathOf(req.url))) throw missingId();
    next();
  });
  const allowed = allowedMethods();
  for (const route of ROUTES) {
    router[route.method](
      route.path,
      refuseHead(route, allowed.get(route.path) ?? 'GET'),
      route.uploads ? checkUpload : readBody,
      (req: Request, res: Response) => answer(route, ports, req, res),
    );
  }
  for (const [path, allow] of allowed) {
    router.all(path, () => {
      throw new HttpRefusal('method-not-allowed', `Allowed: ${allow}.`, { allow });
    });
  }
  router.use(() => {
    throw new HttpRefusal('route-not-found');
  });
  router.use((error: unknown, req: Request, res: Response, _next: NextFunction) => {
    sendError(req, res, error, logger);
  });
  return router;
}

async function answer(route: Route, ports: RoutePorts, req: Request, res: Response): Promise<void> {
  try {
    await route.run(ports, req as RoutedRequest, res);
  } catch (error) {
    if (route.uploads && !req.complete) cutUpload(req, res, ports.clock);
    sendError(req, res, error, ports.logger, route.messages);
  }
}

/** Express answers HEAD by running GET, which for a stream would never end. */
function refuseHead(route: Route, allow: string): (req: Request, res: Response, next: NextFunction) => void {
  return (req, _res, next) => {
    if (req.method === 'HEAD' && route.streams)
      throw new HttpRefusal('method-not-allowed', `Allowed: ${allow}.`, { allow });
    next();
  };
}

function allowedMethods(): Map<string, string> {
  const methods = new Map<string, string[]>();
  for (const route of ROUTES) {
    const list = methods.get(route.path) ?? [];
    list.push(route.method.toUpperCase());
    if (route.method === 'get' && !route.streams) list.push('HEAD');
    methods.set(route.path, list);
  }
  return new Map([...methods].map(([path, list]) => [path, list.join(', ')]));
}
