import type { ServerResponse } from 'node:http';
import type { AgentContainers, OperationReceipt } from '../agentcontainers/api.ts';
import { ROUTE_MESSAGES } from './error-status.ts';
import { readId, readParameter } from './request-input.ts';
import * as requests from './request-schemas.ts';
import { sendJson } from './responses.ts';
import type { Route } from './route.ts';
import { defineRoute } from './route.ts';
import * as wire from './wire-schemas.ts';
import { toWireReceipt, toWireRemovalPlan } from './wire.ts';

const JSON_TYPE = 'application/json';
const RECEIPTS = {
  200: { description: 'Nothing to do', content: { [JSON_TYPE]: wire.wireReceipt } },
  202: { description: 'Accepted; goes on when the client leaves', content: { [JSON_TYPE]: wire.wireReceipt } },
};
const RECREATED = 'Devcontainer recreation initiated';

/** Commands on devcontainers. What takes long is accepted at once and goes on when the client leaves. */
export const LIFECYCLE_ROUTES: readonly Route[] = [
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
  defineRoute('delete', '/devcontainers/:id', 'deleteDevcontainer', {
    summary: 'Stop and remove its container and its sub-agent; goes on when the client leaves',
    query: requests.deleteQuery,
    answers: {
      200: {
        description: 'With `dry_run`: what would go; nothing has changed',
        content: { [JSON_TYPE]: wire.wireRemovalPlan },
      },
      204: { description: 'Gone' },
    },
    errors: [404, 409, 502, 504],
    messages: ROUTE_MESSAGES.delete,
    async run({ api }, { req, res, query }) {
      const id = readId(req.params, 'id');
      const options = query.volumes === undefined ? {} : { volumes: query.volumes };
      if (query.dry_run === true) return sendJson(res, 200, toWireRemovalPlan(await api.planRemoval(id, options)));
      await api.remove(id, options);
      res.writeHead(204).end();
    },
  }),
  // Before the route of hooks, which would take a container of that name for one.
  defineRoute('post', '/devcontainers/container/:container/recreate', 'recreateByContainer', {
    summary: 'Make anew the devcontainer of this container, by container id or name',
    body: requests.recreateBody,
    answers: RECEIPTS,
    errors: [404, 409],
    messages: ROUTE_MESSAGES.recreate,
    async run({ api }, { req, res, body }) {
      const receipt = await api.recreateByContainer(readId(req.params, 'container'), { force: body.force ?? false });
      sendReceipt(res, receipt, RECREATED);
    },
  }),
  defineRoute('post', '/devcontainers/:id/recreate', 'recreateDevcontainer', {
    summary: 'Make its container anew: build first, exchange then; if the new one does not come up, the old one stays',
    body: requests.recreateBody,
    answers: RECEIPTS,
    errors: [403, 404, 409],
    messages: ROUTE_MESSAGES.recreate,
    async run({ api }, { req, res, body }) {
      sendReceipt(res, await api.recreate(readId(req.params, 'id'), { force: body.force ?? false }), RECREATED);
    },
  }),
  action('start', 'Bring it up', 'Devcontainer start initiated', (api, id) => api.startDevcontainer(id)),
  action('stop', 'Stop its container', 'Devcontainer stop initiated', (api, id) => api.stopDevcontainer(id)),
  action('restart', 'Stop its container and bring it up', 'Devcontainer restart initiated', (api, id) =>
    api.restartDevcontainer(id),
  ),
  defineRoute('post', '/devcontainers/:id/hooks/:hook', 'rerunHook', {
    summary: 'Run a lifecycle command of its configuration again in its container',
    params: { hook: requests.hookName },
    answers: RECEIPTS,
    errors: [403, 404, 409],
    messages: ROUTE_MESSAGES.hook,
    async run({ api }, { req, res }) {
      const id = readId(req.params, 'id');
      const hook = readParameter(requests.hookName, req.params, 'hook');
      sendReceipt(res, await api.rerunHook(id, hook), `Devcontainer ${hook} initiated`);
    },
  }),
];

/** A command on one devcontainer that takes nothing of the request but the id. */
function action(
  verb: 'start' | 'stop' | 'restart',
  summary: string,
  message: string,
  command: (api: AgentContainers, id: string) => Promise<OperationReceipt>,
): Route {
  return defineRoute('post', `/devcontainers/:id/${verb}`, `${verb}Devcontainer`, {
    summary,
    answers: RECEIPTS,
    errors: [403, 404, 409],
    messages: ROUTE_MESSAGES[verb],
    async run({ api }, { req, res }) {
      sendReceipt(res, await command(api, readId(req.params, 'id')), message);
    },
  });
}

function sendReceipt(res: ServerResponse, receipt: OperationReceipt, message: string): void {
  sendJson(res, receipt.started ? 202 : 200, toWireReceipt(receipt, message));
}
