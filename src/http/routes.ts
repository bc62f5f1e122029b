import type { AgentContainers, OperationReceipt } from '../agentcontainers/api.ts';
import { HttpRefusal, ROUTE_MESSAGES } from './error-status.ts';
import { openEventStream } from './event-stream.ts';
import { streamExec } from './exec-stream.ts';
import { streamLog } from './log-stream.ts';
import { readId } from './request-input.ts';
import * as requests from './request-schemas.ts';
import { sendJson } from './responses.ts';
import type { Route } from './route.ts';
import { defineRoute } from './route.ts';
import * as wire from './wire-schemas.ts';
import { toWireDevcontainer, toWireList, toWireOperation, toWireReceipt } from './wire.ts';

const JSON_TYPE = 'application/json';
const EVENTS_TYPE = 'text/event-stream';
const RECEIPTS = {
  200: { description: 'Nothing to do', content: { [JSON_TYPE]: wire.wireReceipt } },
  202: { description: 'Accepted; goes on when the client leaves', content: { [JSON_TYPE]: wire.wireReceipt } },
};

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
  defineRoute('post', '/devcontainers', 'createDevcontainer', {
    summary: 'Adopt a folder, also outside the roots, and bring it up',
    body: requests.createBody,
    answers: RECEIPTS,
    errors: [404, 409, 504],
    messages: ROUTE_MESSAGES.create,
    async run({ api }, { res, body }) {
      const receipt = await api.create({ workspaceFolder: body.workspace_folder, configPath: body.config_path });
      sendReceipt(res, receipt, 'Devcontainer creation initiated');
    },
  }),
  defineRoute('get', '/devcontainers/:id', 'getDevcontainer', {
    summary: 'One devcontainer, with candidates and dirty reasons',
    answers: { 200: { description: 'The devcontainer', content: { [JSON_TYPE]: wire.wireDevcontainer } } },
    errors: [404],
    async run({ api }, { req, res }) {
      sendJson(res, 200, toWireDevcontainer(await api.get(readId(req.params, 'id'))));
    },
  }),
  defineRoute('delete', '/devcontainers/:id', 'deleteDevcontainer', {
    summary: 'Stop and remove its container and its sub-agent; goes on when the client leaves',
    query: requests.deleteQuery,
    answers: { 204: { description: 'Gone' } },
    errors: [404, 409, 502],
    messages: ROUTE_MESSAGES.delete,
    async run({ api }, { req, res, query }) {
      await api.remove(readId(req.params, 'id'), query.volumes === undefined ? {} : { volumes: query.volumes });
      res.writeHead(204).end();
    },
  }),
  action(
    'recreate',
    'recreateDevcontainer',
    'Make its container anew',
    'Devcontainer recreation initiated',
    (api, id) => api.recreate(id),
  ),
  action('start', 'startDevcontainer', 'Bring it up', 'Devcontainer start initiated', (api, id) =>
    api.startDevcontainer(id),
  ),
  action('stop', 'stopDevcontainer', 'Stop its container', 'Devcontainer stop initiated', (api, id) =>
    api.stopDevcontainer(id),
  ),
  action(
    'restart',
    'restartDevcontainer',
    'Stop its container and bring it up',
    'Devcontainer restart initiated',
    (api, id) => api.restartDevcontainer(id),
  ),
  defineRoute('post', '/devcontainers/container/:container/recreate', 'recreateByContainer', {
    summary: 'Make anew the devcontainer of this container, by container id or name',
    answers: RECEIPTS,
    errors: [404, 409],
    messages: ROUTE_MESSAGES.recreate,
    async run({ api }, { req, res }) {
      const receipt = await api.recreateByContainer(readId(req.params, 'container'));
      sendReceipt(res, receipt, 'Devcontainer recreation initiated');
    },
  }),
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
  defineRoute('post', '/devcontainers/:id/exec', 'exec', {
    summary: 'Run a command in the container; closing the request ends the session',
    body: requests.execBody,
    answers: {
      200: {
        description: 'A line for each piece of output, then one of type `exit`',
        content: { 'application/x-ndjson': wire.wireExecLine },
      },
    },
    errors: [403, 404, 409, 502, 504],
    streams: true,
    async run(ports, { req, res, body }) {
      await streamExec(ports, res, readId(req.params, 'id'), body);
    },
  }),
  defineRoute('get', '/operations/:id', 'getOperation', {
    summary: 'A piece of long work: status, phase, times, error, log offset',
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

type Action = 'recreate' | 'start' | 'stop' | 'restart';

/** A command on one devcontainer. It takes nothing of the request but the id, so it goes on when the client leaves. */
function action(
  verb: Action,
  name: string,
  summary: string,
  message: string,
  command: (api: AgentContainers, id: string) => Promise<OperationReceipt>,
): Route {
  return defineRoute('post', `/devcontainers/:id/${verb}`, name, {
    summary,
    answers: RECEIPTS,
    errors: [403, 404, 409],
    messages: ROUTE_MESSAGES[verb],
    async run({ api }, { req, res }) {
      sendReceipt(res, await command(api, readId(req.params, 'id')), message);
    },
  });
}

function sendReceipt(res: Parameters<typeof sendJson>[0], receipt: OperationReceipt, message: string): void {
  sendJson(res, receipt.started ? 202 : 200, toWireReceipt(receipt, message));
}
