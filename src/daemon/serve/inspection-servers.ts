import { createServer, type Server } from 'node:http';
import type { AgentContainers } from '../../agentcontainers/api.ts';
import { errorMessage } from '../../errors.ts';
import { isLoopback, parseListenAddress } from '../listen-address.ts';
import type { Metrics } from './metrics.ts';

/**
 * A server for one page of text. It has no token, so it must only ever listen on loopback, and answers only requests
 * that were made under a loopback name: a page elsewhere whose name was pointed at this machine gets nothing.
 */
function pageServer(path: string, contentType: string, render: () => Promise<string>): Server {
  return createServer((request, response) => {
    const end = (status: number, text: string, type = 'text/plain; charset=utf-8'): void => {
      response.writeHead(status, {
        'content-type': type,
        'cache-control': 'no-store',
        'x-content-type-options': 'nosniff',
      });
      response.end(text);
    };
    if (!isLoopbackHost(request.headers.host)) return end(403, 'Host not allowed\n');
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

export function createMetricsServer(metrics: Metrics): Server {
  return pageServer('/metrics', metrics.contentType, () => metrics.text());
}

/** `/debug`: the list, and what this process is doing. */
export function createDebugServer(api: AgentContainers, about: object): Server {
  return pageServer('/debug', 'application/json; charset=utf-8', async () => {
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
  });
}
