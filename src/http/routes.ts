import { HttpRefusal, ROUTE_MESSAGES } from './error-status.ts';
import { openEventStream } from './event-stream.ts';
import { LIFECYCLE_ROUTES } from './lifecycle-routes.ts';
import { streamLog } from './log-stream.ts';
import { readId } from './request-input.ts';
import * as requests from './request-schemas.ts';
import { sendJson } from './responses.ts';
import type { Route } from './route.ts';
import { defineRoute } from './route.ts';
import { RUNTIME_ROUTES } from './runtime-routes.ts';
import { SOCKET_ROUTES } from './socket-routes.ts';
import { TRUST_ROUTES } from './trust-routes.ts';
import * as wire from './wire-schemas.ts';
import { toWireDevcontainer, toWireDifferences, toWireList, toWireOperation } from './wire.ts';

const JSON_TYPE = 'application/json';
const EVENTS_TYPE = 'text/event-stream';

/** Every route of the router. */
export const ROUTES: readonly Route[] = [
  defineRoute('get', '/', 'list', {
    summary: 'Devcontainers, all containers and warnings',
    query: requests.listQuery,
    repeatable: ['label'],
    answers: { 200: { description: 'The list', content: { [JSON_TYPE]: wire.wireList } } },
    async run({ api }, { res, query }) {
      sendJson(res, 200, toWireList(await api.list(query.label ? { labels: query.label } : {})));
    },
  }),
  defineRoute('get', '/devcontainers', 'listDevcontainers', {
    summary: 'Devcontainers, sorted by folder, then config path',
    answers: { 200: { description: 'The devcontainers', content: { [JSON_TYPE]: wire.wireDevcontainers } } },
    messages: ROUTE_MESSAGES.devcontainers,
    async run({ api }, { res }) {
      sendJson(res, 200, { devcontainers: toWireList(await api.list()).devcontainers });
    },
  }),
  defineRoute('get', '/devcontainers/:id', 'getDevcontainer', {
    summary: 'One devcontainer, with who uses it, what it can do to the host and what of that was accepted',
    answers: { 200: { description: 'The devcontainer', content: { [JSON_TYPE]: wire.wireDevcontainer } } },
    errors: [404],
    async run({ api }, { req, res }) {
      sendJson(res, 200, toWireDevcontainer(await api.get(readId(req.params, 'id'))));
    },
  }),
  defineRoute('get', '/devcontainers/:id/diff', 'getDifferences', {
    summary: 'How the configuration now differs from the one that the container was made from, input by input',
    answers: { 200: { description: 'The differences', content: { [JSON_TYPE]: wire.wireDifferences } } },
    errors: [404, 504],
    async run({ api }, { req, res }) {
      sendJson(res, 200, toWireDifferences(await api.diff(readId(req.params, 'id'))));
    },
  }),
  ...LIFECYCLE_ROUTES,
  ...TRUST_ROUTES,
  defineRoute('get', '/devcontainers/:id/logs', 'getLogs', {
    summary: 'Build and lifecycle log: text, or server-sent events if asked for by `Accept` or `follow`',
    query: requests.logsQuery,
    answers: {
      200: {
        description: 'The log. Events: `LogChunk` with the offset after it as id, then `end`, or `error`.',
        content: { 'text/plain': wire.logText, [EVENTS_TYPE]: wire.wireLogChunk },
      },
    },
    errors: [404],
    streams: true,
    async run(ports, { req, res, query }) {
      await streamLog(ports, req, res, readId(req.params, 'id'), query);
    },
  }),
  ...RUNTIME_ROUTES,
  ...SOCKET_ROUTES,
  defineRoute('get', '/operations/:id', 'getOperation', {
    summary: 'A piece of long work: status, phase, steps, times, error, log offset',
    answers: { 200: { description: 'The operation', content: { [JSON_TYPE]: wire.wireOperation } } },
    errors: [404],
    async run({ api }, { req, res }) {
      sendJson(res, 200, toWireOperation(await api.operation(readId(req.params, 'id'))));
    },
  }),
  defineRoute('get', '/watch', 'watch', {
    summary: 'WebSocket: one list response per text frame, the first at once, then after each change',
    answers: { 101: { description: 'Upgraded to a WebSocket, each text frame of which is a `List`' } },
    streams: true,
    run() {
      // Upgrades never come here.
      return Promise.reject(
        new HttpRefusal('upgrade-failed', 'This address speaks WebSocket; for plain HTTP see /events.'),
      );
    },
  }),
  defineRoute('get', '/events', 'events', {
    summary: 'The same as server-sent events; `Last-Event-ID` resumes, `reset` says that events were missed',
    answers: { 200: { description: 'Events with a `List` each', content: { [EVENTS_TYPE]: wire.wireList } } },
    streams: true,
    async run({ watchers }, { req, res }) {
      await openEventStream(req, res, watchers);
    },
  }),
];
