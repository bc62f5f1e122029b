import type { IncomingMessage, ServerResponse } from 'node:http';
import type { z } from 'zod';
import type { RouteMessages } from './error-status.ts';
import type { ExecStreamPorts } from './exec-stream.ts';
import type { LogStreamPorts } from './log-stream.ts';
import { readBody, readQuery, urlOf } from './request-input.ts';
import { emptyBody, emptyQuery } from './request-schemas.ts';
import type { WatchClients } from './watch-clients.ts';

/** What routes work with. */
export interface RoutePorts extends ExecStreamPorts, LogStreamPorts {
  readonly watchers: WatchClients;
}

/** A request as the router hands it over. */
export type RoutedRequest = IncomingMessage & {
  readonly originalUrl: string;
  readonly params: Readonly<Record<string, unknown>>;
  readonly body?: unknown;
};

export interface Exchange<Query, Body> {
  readonly req: RoutedRequest;
  readonly res: ServerResponse;
  readonly query: Query;
  readonly body: Body;
}

/** A successful answer, for the OpenAPI document: content types with their schemas. */
export interface DocumentedAnswer {
  readonly description: string;
  readonly content?: Readonly<Record<string, z.ZodType>> | undefined;
}

export type RouteMethod = 'get' | 'post' | 'put' | 'delete';

/** One route: what is served, what is checked and what is documented come from the same value. */
export interface Route {
  readonly method: RouteMethod;
  /** Relative to the mount point, with `:name` parameters. */
  readonly path: string;
  readonly name: string;
  readonly summary: string;
  /** Of parameters of the path that are not just any text. */
  readonly params?: Readonly<Record<string, z.ZodType>> | undefined;
  readonly query?: z.ZodObject | undefined;
  readonly body?: z.ZodType | undefined;
  readonly answers: Readonly<Record<string, DocumentedAnswer>>;
  /** Statuses of documented errors, beside those that every route has. */
  readonly errors: readonly number[];
  readonly messages?: RouteMessages | undefined;
  /** Its answer has no end of its own, so there is no HEAD. */
  readonly streams: boolean;
  /** Its body is a file of any size instead of JSON, which it reads itself. */
  readonly uploads: boolean;
  run(ports: RoutePorts, req: RoutedRequest, res: ServerResponse): Promise<void>;
}

export interface RouteDefinition<Query extends z.ZodObject, Body extends z.ZodType> {
  readonly summary: string;
  readonly params?: Route['params'];
  readonly query?: Query;
  /** Names of query parameters that may come several times. */
  readonly repeatable?: readonly string[];
  readonly body?: Body;
  readonly answers: Route['answers'];
  readonly errors?: readonly number[];
  readonly messages?: RouteMessages;
  readonly streams?: boolean;
  readonly uploads?: boolean;
  run(ports: RoutePorts, exchange: Exchange<z.infer<Query>, z.infer<Body>>): Promise<void>;
}

export function defineRoute<Query extends z.ZodObject = typeof emptyQuery, Body extends z.ZodType = typeof emptyBody>(
  method: RouteMethod,
  path: string,
  name: string,
  route: RouteDefinition<Query, Body>,
): Route {
  const querySchema = (route.query ?? emptyQuery) as Query;
  const bodySchema = (route.body ?? emptyBody) as Body;
  return {
    method,
    path,
    name,
    summary: route.summary,
    params: route.params,
    query: route.query,
    body: route.body,
    answers: route.answers,
    errors: route.errors ?? [],
    messages: route.messages,
    streams: route.streams ?? false,
    uploads: route.uploads ?? false,
    async run(ports, req, res) {
      const query = readQuery(querySchema, urlOf(req), route.repeatable);
      const body = readBody(bodySchema, route.uploads ? undefined : req.body);
      await route.run(ports, { req, res, query, body });
    },
  };
}
