import { get } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import type { AgentContainers, Devcontainer, ListResult } from '../../agentcontainers/api.ts';
import type { ContainerEngine } from '../../agentcontainers/ports.ts';
import { createDebugServer, createMetricsServer } from './inspection-servers.ts';
import { createMetrics, createTransitions } from './metrics.ts';

function list(...entries: Partial<Devcontainer>[]): ListResult {
  return {
    devcontainers: entries.map((entry) => ({ id: 'a', ...entry }) as Devcontainer),
    containers: [],
    warnings: [],
  };
}
const agent = (status: 'starting' | 'running' | 'failed', startedAt?: number) => ({
  id: null,
  name: 'a',
  directory: '/w',
  status,
  startedAt,
});

test('each end of an injection and of an operation counts once', () => {
  const seen: string[] = [];
  const next = createTransitions({
    injection: (result) => seen.push(result),
    operationEnded: (id) => seen.push(`ended ${id}`),
  });
  next(list({ operationId: 'o1' }));
  next(list({ operationId: 'o1', agent: agent('starting') }));
  next(list({ agent: agent('running', 1) }));
  next(list({ agent: agent('running', 1) }));
  next(list({ agent: agent('running', 2), operationId: 'o2' }));
  next(list({ agent: agent('failed'), operationId: 'o3' }));
  next(list());
  expect(seen).toEqual(['running', 'ended o1', 'running', 'failed', 'ended o2', 'ended o3']);
});

test('passes, entries by status and event-loop lag are exposed', async () => {
  const metrics = createMetrics(() => 0);
  let fails = false;
  const engine = metrics.countPasses({
    listContainers: () => (fails ? Promise.reject(new Error('gone')) : Promise.resolve([])),
  } as unknown as ContainerEngine);
  const query = { labels: [], signal: new AbortController().signal };
  await engine.listContainers(query);
  fails = true;
  await expect(engine.listContainers(query)).rejects.toThrow('gone');

  let listener: ((value: ListResult) => void) | undefined;
  metrics.observe({
    subscribe: (given: (value: ListResult) => void) => {
      listener = given;
      return () => {};
    },
    operation: async () => ({ kind: 'create', status: 'succeeded' }),
  } as unknown as AgentContainers);
  listener?.(list({ status: 'running', operationId: 'o' }));
  listener?.(list({ status: 'running' }));
  await new Promise((resolve) => setImmediate(resolve));

  const text = await metrics.text();
  expect(text).toContain('agentcontainers_passes_total{result="succeeded"} 1');
  expect(text).toContain('agentcontainers_passes_total{result="failed"} 1');
  expect(text).toContain('agentcontainers_devcontainers{status="running"} 1');
  expect(text).toContain('agentcontainers_devcontainers{status="error"} 0');
  expect(text).toContain('agentcontainers_operations_total{kind="create",status="succeeded"} 1');
  expect(text).toContain('nodejs_eventloop_lag_seconds');
});

test('the debug page needs the token, and a loopback name', async () => {
  const token = 'a'.repeat(43);
  const api = { list: async () => list({ name: 'web' }) } as unknown as AgentContainers;
  const server = createDebugServer(api, {}, token);
  onTestFinished(() => void server.close());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const status = (headers: Record<string, string>) =>
    new Promise<number | undefined>((resolve) => {
      get({ port, path: '/debug', headers, agent: false }, (response) => {
        response.resume();
        resolve(response.statusCode);
      });
    });
  const shown = { authorization: `Bearer ${token}` };
  expect(await status({ host: 'localhost', ...shown })).toBe(200);
  expect(await status({ host: 'localhost' })).toBe(401);
  expect(await status({ host: 'localhost', authorization: `Bearer ${'b'.repeat(43)}` })).toBe(401);
  expect(await status({ host: 'evil.example', ...shown })).toBe(403);
});

test('the metrics page answers only under a loopback name', async () => {
  const server = createMetricsServer(createMetrics());
  onTestFinished(() => void server.close());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const status = (host: string, path: string) =>
    new Promise<number | undefined>((resolve) => {
      get({ port, path, headers: { host }, agent: false }, (response) => {
        response.resume();
        resolve(response.statusCode);
      });
    });
  expect(await status(`127.0.0.1:${port}`, '/metrics')).toBe(200);
  expect(await status('localhost', '/metrics')).toBe(200);
  expect(await status('evil.example', '/metrics')).toBe(403);
  expect(await status('localhost', '/other')).toBe(404);
});
