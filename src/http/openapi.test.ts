import { Validator } from '@seriousme/openapi-schema-validator';
import { expect, test } from 'vitest';
import { createFakeClock } from '../testing/fake-clock.ts';
import { createApp } from './app.ts';
import { HOOK_NAMES } from '../agentcontainers/model/hook-names.ts';
import { openApiDocument, toOpenApiPath } from './openapi.ts';
import { buildRouter } from './router.ts';
import type { RoutePorts } from './route.ts';
import { scriptedApi } from './test-api.ts';
import { ask, listen } from './test-server.ts';

const METHODS = ['get', 'post', 'put', 'patch', 'delete', 'head', 'options'];

test('the document is valid OpenAPI 3.1', async () => {
  const validator = new Validator();
  const result = await validator.validate(structuredClone(openApiDocument()) as unknown as Record<string, unknown>);
  expect(result.errors ?? []).toEqual([]);
  expect(result.valid).toBe(true);
  expect(validator.version).toBe('3.1');
});

test('every route of the router is in the document, and the other way round', () => {
  const router = buildRouter({} as RoutePorts, () => {});
  const served = new Set<string>();
  for (const layer of router.stack) {
    // The layer that refuses other methods has no method of its own.
    const { route } = layer as { route?: { path: string; stack: { method: string | undefined }[] } };
    for (const { method } of route?.stack ?? []) {
      if (route && method !== undefined) served.add(`${method} ${toOpenApiPath(route.path)}`);
    }
  }
  // Paths with a server of their own lie outside the router.
  const own = Object.entries(openApiDocument().paths ?? {}).filter(([, item]) => item?.servers === undefined);
  const documented = own.flatMap(([path, item]) =>
    METHODS.filter((method) => method in (item as object)).map((method) => `${method} ${path}`),
  );
  expect([...served].sort()).toEqual(documented.sort());
  expect(documented).toEqual(
    [
      'get /',
      'get /devcontainers',
      'post /devcontainers',
      'get /devcontainers/{id}',
      'delete /devcontainers/{id}',
      'post /devcontainers/{id}/recreate',
      'post /devcontainers/{id}/start',
      'post /devcontainers/{id}/stop',
      'post /devcontainers/{id}/restart',
      'post /devcontainers/container/{container}/recreate',
      'post /devcontainers/{id}/hooks/{hook}',
      'post /devcontainers/{id}/trust',
      'delete /devcontainers/{id}/trust',
      'get /devcontainers/{id}/diff',
      'get /devcontainers/{id}/logs',
      'post /devcontainers/{id}/exec',
      'post /devcontainers/{id}/bash',
      'get /devcontainers/{id}/processes',
      'post /devcontainers/{id}/processes',
      'get /devcontainers/{id}/processes/{process}',
      'delete /devcontainers/{id}/processes/{process}',
      'get /devcontainers/{id}/processes/{process}/output',
      'post /devcontainers/{id}/processes/{process}/stdin',
      'post /devcontainers/{id}/processes/{process}/signal',
      'post /devcontainers/{id}/processes/{process}/resize',
      'post /devcontainers/{id}/processes/{process}/kill',
      'get /devcontainers/{id}/files/stat',
      'get /devcontainers/{id}/files/list',
      'get /devcontainers/{id}/files/content',
      'put /devcontainers/{id}/files/content',
      'post /devcontainers/{id}/files/mkdir',
      'post /devcontainers/{id}/files/move',
      'post /devcontainers/{id}/files/remove',
      'post /devcontainers/{id}/files/search',
      'get /devcontainers/{id}/ports',
      'get /devcontainers/{id}/stats',
      'get /devcontainers/{id}/forwards',
      'post /devcontainers/{id}/forwards',
      'delete /devcontainers/{id}/forwards/{forward}',
      'get /devcontainers/{id}/exec',
      'get /devcontainers/{id}/processes/{process}/attach',
      'get /devcontainers/{id}/pty',
      'get /operations/{id}',
      'get /watch',
      'get /events',
    ].sort(),
  );
});

test('requests are closed, answers are open to further properties', () => {
  const schemas = openApiDocument().components?.schemas as Record<string, { additionalProperties?: unknown }>;
  expect(schemas['CreateRequest']?.additionalProperties).toBe(false);
  expect(schemas['ExecRequest']?.additionalProperties).toBe(false);
  for (const name of [
    'RecreateRequest',
    'TrustRequest',
    'RevokeTrustRequest',
    'StartRequest',
    'BashRequest',
    'SearchRequest',
  ]) {
    expect(schemas[name]?.additionalProperties).toBe(false);
  }
  for (const name of [
    'Devcontainer',
    'Container',
    'List',
    'Operation',
    'Error',
    'RemovalPlan',
    'Finding',
    'Process',
    'FileStat',
    'Forward',
  ]) {
    expect(schemas[name]).toBeDefined();
    expect(schemas[name]).not.toHaveProperty('additionalProperties');
  }
});

test('what every request can be answered with is documented, and what only some can be', () => {
  const { paths } = openApiDocument();
  for (const [path, item] of Object.entries(paths ?? {})) {
    for (const method of METHODS) {
      const { responses } = ((item as Record<string, unknown>)[method] ?? { responses: undefined }) as {
        responses?: object;
      };
      if (responses === undefined) continue;
      const expected =
        path === '/login' ? ['303', '401', '403', '405', '500'] : ['400', '401', '403', '405', '500', '503'];
      expect([path, Object.keys(responses)]).toEqual([path, expect.arrayContaining(expected)]);
    }
  }
  const statuses = (path: string, method: 'post' | 'delete'): string[] =>
    Object.keys(paths?.[path]?.[method]?.responses ?? {});
  expect(statuses('/devcontainers/{id}/exec', 'post')).toEqual(
    expect.arrayContaining(['404', '409', '413', '502', '504']),
  );
  expect(statuses('/devcontainers', 'post')).toContain('504');
  expect(statuses('/devcontainers/{id}', 'delete')).toEqual(
    expect.arrayContaining(['403', '404', '409', '502', '504']),
  );
  expect(paths?.['/login']?.servers).toEqual([{ url: '/' }]);
});

test('an exec, and a start, take exactly one of argv and command', () => {
  const schemas = openApiDocument().components?.schemas as Record<string, { oneOf?: unknown }>;
  for (const name of ['ExecRequest', 'StartRequest']) {
    expect(schemas[name]?.oneOf).toEqual([{ required: ['argv'] }, { required: ['command'] }]);
  }
});

test('a file is sent and received as bytes, of any size', () => {
  const { get, put } = openApiDocument().paths?.['/devcontainers/{id}/files/content'] ?? {};
  const file = { 'application/octet-stream': { schema: { type: 'string', format: 'binary' } } };
  expect(put?.requestBody).toMatchObject({ required: true, content: file });
  expect(Object.keys(put?.requestBody && 'content' in put.requestBody ? put.requestBody.content : {})).toEqual(
    Object.keys(file),
  );
  expect(get?.responses?.['200']).toMatchObject({ content: file });
  expect(Object.keys(put?.responses ?? {})).toEqual(expect.arrayContaining(['404', '408', '409', '415']));
  expect(put?.responses).not.toHaveProperty('413');
});

test('numbers of a query are numbers in the document, with their bounds', () => {
  const { get } = openApiDocument().paths?.['/devcontainers/{id}/processes/{process}/output'] ?? {};
  expect(get?.parameters).toContainEqual(
    expect.objectContaining({
      name: 'limit',
      in: 'query',
      schema: expect.objectContaining({ type: 'integer', minimum: 1, maximum: 1_048_576 }) as unknown,
    }),
  );
});

test('it is served', async () => {
  const app = createApp(scriptedApi(), { clock: createFakeClock(), token: 'a'.repeat(43) });
  const port = await listen(app.createServer({ trust: 'socket' }));
  const answer = await ask(port, { path: '/api/openapi.json' });
  expect(answer.json).toEqual(JSON.parse(JSON.stringify(openApiDocument())));
});

test('a body that may be missing is not required, and one that says what to do is', () => {
  const { paths } = openApiDocument();
  const required = (path: string, method: 'post' | 'delete') =>
    (paths?.[path]?.[method]?.requestBody as { required?: boolean } | undefined)?.required;
  expect(required('/devcontainers/{id}/recreate', 'post')).toBe(false);
  expect(required('/devcontainers/{id}/trust', 'delete')).toBe(false);
  expect(required('/devcontainers/{id}/trust', 'post')).toBe(true);
  expect(required('/devcontainers', 'post')).toBe(true);
  expect(required('/devcontainers/{id}/start', 'post')).toBeUndefined();
});

test('which hooks there are is part of the path', () => {
  const parameters = openApiDocument().paths?.['/devcontainers/{id}/hooks/{hook}']?.post?.parameters;
  expect(parameters).toContainEqual(
    expect.objectContaining({ name: 'hook', schema: expect.objectContaining({ enum: [...HOOK_NAMES] }) }),
  );
});
