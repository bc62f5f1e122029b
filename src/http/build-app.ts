import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { Express, NextFunction, Request, Response } from 'express';
import express from 'express';
import helmet from 'helmet';
import type { AgentContainers } from '../agentcontainers/api.ts';
import type { Logger } from '../logger.ts';
import type { CallerGuard, Trust } from './caller-guard.ts';
import { HttpRefusal } from './error-status.ts';
import { renderErrorPage, renderLandingPage, renderLoginPage, STYLE_SOURCE } from './landing-page.ts';
import { MOUNT_PATH } from './mount-path.ts';
import { answerAndLog, sendError, sendHtml, sendJson } from './responses.ts';
import type { ContainersRouter } from './router.ts';

/** By which server a request came in. */
export interface Arrival {
  readonly trust: Trust;
  readonly secure: boolean;
}

export interface AppParts {
  readonly api: AgentContainers;
  readonly guard: CallerGuard;
  readonly logger: Logger;
  readonly router: ContainersRouter;
  readonly arrivalOf: (req: IncomingMessage) => Arrival;
}

/** The express application. The order of what it mounts is the order of the checks. */
export function buildApp(parts: AppParts): RequestListener {
  const { guard, router, arrivalOf } = parts;
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.use(securityHeaders);
  app.use((req, _res, next) => {
    guard.checkSource(req, arrivalOf(req).trust);
    next();
  });
  mountLogin(app, parts);
  app.use((req, _res, next) => {
    guard.authenticate(req, arrivalOf(req).trust);
    next();
  });
  mountPages(app, parts);
  app.use(MOUNT_PATH, router);
  app.use('/devcontainers', (req, res, next) => {
    req.url = `/devcontainers${req.url}`;
    router(req, res, next);
  });
  app.use(() => {
    throw new HttpRefusal('route-not-found');
  });
  app.use((error: unknown, req: Request, res: Response, _next: NextFunction) => {
    answerError(parts.logger, req, res, error);
  });
  return app;
}

const securityHeaders = helmet({
  contentSecurityPolicy: {
    useDefaults: false,
    directives: {
      defaultSrc: ["'none'"],
      styleSrc: [STYLE_SOURCE],
      baseUri: ["'none'"],
      formAction: ["'none'"],
      frameAncestors: ["'none'"],
    },
  },
  // Loopback is served by plain HTTP.
  strictTransportSecurity: false,
  referrerPolicy: { policy: 'no-referrer' },
});

function mountLogin(app: Express, { guard, arrivalOf }: AppParts): void {
  // A GET, as it is followed from a terminal. Its only effect is that the code, which nobody else has, is used up.
  app.get('/login', refuseHead, (req, res) => {
    res.setHeader('set-cookie', guard.login(req, arrivalOf(req).secure));
    const site = req.headers['sec-fetch-site'];
    if (site === 'cross-site' || site === 'same-site') sendHtml(res, 200, renderLoginPage());
    else res.writeHead(303, { location: '/', 'cache-control': 'no-store' }).end();
  });
  app.all('/login', refuseMethod('GET'));
}

function mountPages(app: Express, { api }: AppParts): void {
  app.get('/', async (_req, res) => sendHtml(res, 200, renderLandingPage(await api.list())));
  app.all('/', refuseMethod('GET, HEAD'));
  app.get('/api/openapi.json', async (_req, res) => {
    const { openApiDocument } = await import('./openapi.ts');
    sendJson(res, 200, openApiDocument());
  });
  app.all('/api/openapi.json', refuseMethod('GET, HEAD'));
}

function refuseHead(req: Request, _res: Response, next: NextFunction): void {
  if (req.method === 'HEAD') refuseMethod('GET')();
  next();
}

function refuseMethod(allow: string): () => never {
  return () => {
    throw new HttpRefusal('method-not-allowed', `Allowed: ${allow}.`, { allow });
  };
}

/** People see a page where they would have seen one; everybody else gets JSON. */
function answerError(
  logger: Logger,
  req: IncomingMessage & { originalUrl: string },
  res: ServerResponse,
  error: unknown,
): void {
  const isPage = /^\/(?:login)?(?:\?|$)/.test(req.originalUrl);
  if (!isPage || res.headersSent || !(req.headers.accept ?? '').includes('text/html')) {
    sendError(req, res, error, logger);
    return;
  }
  const answer = answerAndLog(req, error, logger);
  for (const [name, value] of Object.entries(answer.headers)) res.setHeader(name, value);
  sendHtml(res, answer.status, renderErrorPage(answer.body.message, answer.body.detail));
}
