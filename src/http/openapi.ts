import type { ZodOpenApiOperationObject, ZodOpenApiPathsObject, ZodOpenApiResponsesObject } from 'zod-openapi';
import { createDocument } from 'zod-openapi';
import { z } from 'zod';
import { COOKIE } from './caller-guard.ts';
import { MOUNT_PATH } from './mount-path.ts';
import type { Route } from './route.ts';
import { ROUTES } from './routes.ts';
import { controlFrame, ptyFrame } from './socket-schemas.ts';
import { wireError } from './wire-schemas.ts';

const ERRORS: Readonly<Record<number, string>> = {
  400: 'The request is malformed; `validations` names the fields',
  401: 'Neither a valid bearer token nor a session',
  403: 'Host, origin or level does not allow it, or it is not trusted: `findings` and `hash` say what is not',
  404: 'There is no such thing',
  405: 'The path has other methods, which `Allow` names',
  408: 'Nothing of the body came for too long',
  409: 'The present state does not allow it; `holders` says who uses it, `hash` what the findings are now',
  413: 'The body is larger than 1 MiB',
  415: 'The body is not `application/json` in UTF-8, or, where a file belongs, `application/octet-stream`',
  500: 'It was tried and failed',
  502: 'The container engine, or the control plane, did not answer as it should',
  503: 'The server is closing, or serves too many streams',
  504: 'It took too long',
};

/** Served by the daemon beside the router, so it has a server of its own. */
const LOGIN: ZodOpenApiPathsObject[string] = {
  servers: [{ url: '/' }],
  get: {
    operationId: 'login',
    summary: 'Exchange the code of the link that the daemon prints for the cookie of a session; works once',
    security: [],
    requestParams: { query: z.object({ code: z.string() }) },
    responses: {
      200: {
        description: 'The same, for a link in a page of another origin',
        content: { 'text/html': { schema: z.string() } },
      },
      303: { description: 'The cookie is set; on to the start page' },
      ...errorResponses([401, 403, 405, 500]),
    },
  },
};

let document: ReturnType<typeof createDocument> | undefined;

/** OpenAPI 3.1, made from the schemas that check requests. */
export function openApiDocument(): ReturnType<typeof createDocument> {
  document ??= createDocument(
    {
      openapi: '3.1.0',
      info: {
        title: 'agentcontainers',
        version: '0',
        description:
          'Dev containers with a sub-agent inside. Paths are relative to the mount point; `/devcontainers` of the ' +
          'daemon is an alias of the path of that name. Clients must accept properties they do not know.',
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
      servers: [{ url: MOUNT_PATH }],
      security: [{ bearer: [] }, { session: [] }, {}],
      components: {
        // Frames of WebSockets have no place in a path.
        schemas: { SocketControl: controlFrame, TerminalInput: ptyFrame },
        securitySchemes: {
          bearer: { type: 'http', scheme: 'bearer' },
          session: {
            type: 'apiKey',
            in: 'cookie',
            name: `${COOKIE}_{port}`,
            description:
              'Set by `/login`; named after the port on which the daemon listens. Counts under the host name of the ' +
              'link, and under names of `--allow-remote`; not under loopback addresses and `localhost`.',
          },
        },
      },
      paths: { ...toPaths(ROUTES), '/login': LOGIN },
    },
    // What we answer may grow.
    {
      override: ({ jsonSchema, zodSchema, io }) => {
        if (io === 'output' && zodSchema instanceof z.ZodObject) delete jsonSchema.additionalProperties;
      },
    },
  );
  return document;
}

/** `/a/:id` as OpenAPI writes it. */
export function toOpenApiPath(path: string): string {
  return path.replace(/:(\w+)/g, '{$1}');
}

function toPaths(routes: readonly Route[]): ZodOpenApiPathsObject {
  const paths: ZodOpenApiPathsObject = {};
  for (const route of routes) {
    const path = toOpenApiPath(route.path);
    paths[path] = { ...paths[path], [route.method]: toOperation(route) };
  }
  return paths;
}

function toOperation(route: Route): ZodOpenApiOperationObject {
  const names = [...route.path.matchAll(/:(\w+)/g)].map((match) => match[1] as string);
  const path = z.object(Object.fromEntries(names.map((name) => [name, route.params?.[name] ?? z.string()])));
  return {
    operationId: route.name,
    summary: route.summary,
    requestParams: {
      ...(names.length > 0 && { path }),
      ...(route.query && { query: route.query }),
    },
    ...(route.body && { requestBody: toRequestBody(route.body) }),
    ...(route.uploads && { requestBody: FILE }),
    responses: toResponses(route),
  };
}

const FILE: NonNullable<ZodOpenApiOperationObject['requestBody']> = {
  description: 'The file, of any size',
  required: true,
  content: { 'application/octet-stream': { schema: { type: 'string', format: 'binary' } } },
};

/** A missing body counts as an empty object, see `readBody`. */
function toRequestBody(schema: z.ZodType): NonNullable<ZodOpenApiOperationObject['requestBody']> {
  return { required: !schema.safeParse({}).success, content: { 'application/json': { schema } } };
}

function toResponses(route: Route): ZodOpenApiResponsesObject {
  const responses: ZodOpenApiResponsesObject = {};
  for (const [status, answer] of Object.entries(route.answers)) {
    const content = Object.entries(answer.content ?? {}).map(([type, schema]) => [type, { schema }] as const);
    responses[status as '200'] = {
      description: answer.description,
      ...(content.length > 0 && { content: Object.fromEntries(content) }),
    };
  }
  const bodyErrors = route.uploads ? [408, 415] : route.method === 'get' ? [] : [413, 415];
  return { ...responses, ...errorResponses([400, 401, 403, 405, ...route.errors, ...bodyErrors, 500, 503]) };
}

function errorResponses(statuses: readonly number[]): ZodOpenApiResponsesObject {
  const responses: ZodOpenApiResponsesObject = {};
  for (const status of statuses) {
    responses[String(status) as '400'] = {
      description: ERRORS[status] ?? 'Error',
      content: { 'application/json': { schema: wireError } },
    };
  }
  return responses;
}
