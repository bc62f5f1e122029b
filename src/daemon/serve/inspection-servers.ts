import { createServer, type Server } from 'node:http';
import type { AgentContainers } from '../../agentcontainers/api.ts';
import { errorMessage } from '../../errors.ts';
import { BearerToken } from '../../http/bearer-token.ts';
import { isLoopback, parseListenAddress } from '../listen-address.ts';
import type { Metrics } from './metrics.ts';

interface Page {
  readonly path: string;
  readonly contentType: string;
  /** Who does not show it gets nothing. */
  readonly token?: BearerToken;
  render(): Promise<string>;
}

/**
 * A server for one page of text. It must only ever listen on loopback, and answers only requests that were made under a
 * loopback name: a page elsewhere whose name was pointed at this machine gets nothing.
 */
function pageServer({ path, contentType, token, render }: Page): Server {
  return createServer((request, response) => {
    const end = (status: number, text: string, type = 'text/plain; charset=utf-8'): void => {
      response.writeHead(status, {
        ...(status === 401 ? { 'www-authenticate': 'Bearer realm="agentcontainers"' } : {}),
        'content-type': type,
        'cache-control': 'no-store',
        'x-content-type-options': 'nosniff',
      });
      response.end(text);
    };
    if (!isLoopbackHost(request.headers.host)) return end(403, 'Host not allowed\n');
    if (token !== undefined && !token.isShownBy(request)) {
      return end(401, 'Send `Authorization: Bearer <token>`, with the token of the state directory.\n');
    }
    if (request.method !== 'GET' || request.url !== path) return end(404, `There is only GET ${path}\n`);
    render().then(
      (text) => end(200, text, contentType),
      (error: unknown) => end(500, `${errorMessage(error)}\n`),
    );
  });
}

function isLoopbackHost(header: string | undefined): boolean {
  try {
    return header !== undefined && isLoopback(parseListenAddress(header).host);
  } catch {
    return false;
  }
}

/** `/metrics`: counts, and nothing else, so it needs no token. */
export function createMetricsServer(metrics: Metrics): Server {
  return pageServer({ path: '/metrics', contentType: metrics.contentType, render: () => metrics.text() });
}

/** `/debug`: the list, and what this process is doing. Only with the token, since folders and labels are in it. */
export function createDebugServer(api: AgentContainers, about: object, token: string): Server {
  const render = async (): Promise<string> => {
    const list = await api.list().catch((error: unknown) => ({ error: errorMessage(error) }));
    const resources: Record<string, number> = {};
    for (const name of process.getActiveResourcesInfo()) resources[name] = (resources[name] ?? 0) + 1;
    const runtime = {
      uptimeSeconds: process.uptime(),
      memory: process.memoryUsage(),
      cpu: process.cpuUsage(),
      resources,
    };
    return `${JSON.stringify({ about, runtime, list }, undefined, 2)}\n`;
  };
  const contentType = 'application/json; charset=utf-8';
  return pageServer({ path: '/debug', contentType, token: new BearerToken(token), render });
}
