import { readId } from './request-input.ts';
import { sendJson } from './responses.ts';
import type { Route } from './route.ts';
import { defineRoute } from './route.ts';
import { RUNTIME_ERRORS, runtimeOf } from './runtime-of.ts';
import * as requests from './runtime-request-schemas.ts';
import * as wire from './runtime-wire-schemas.ts';
import { toWireForward, toWirePorts, toWireStats } from './runtime-wire.ts';

const JSON_TYPE = 'application/json';
const FORWARDS = '/devcontainers/:id/forwards';

/** Ports of the container, their forwards to this machine, and what it uses. */
export const PORT_ROUTES: readonly Route[] = [
  defineRoute('get', '/devcontainers/:id/ports', 'listPorts', {
    summary: 'TCP ports that something listens on in the container, published or not',
    answers: { 200: { description: 'The ports', content: { [JSON_TYPE]: wire.wirePorts } } },
    errors: RUNTIME_ERRORS,
    async run(ports, { req, res }) {
      const found = await ports.streams.wait(res, (ending) => runtimeOf(ports, req).ports(ending));
      sendJson(res, 200, toWirePorts(found));
    },
  }),
  defineRoute('get', '/devcontainers/:id/stats', 'getStats', {
    summary: 'Memory, processor time and processes of the container',
    answers: { 200: { description: 'As its kernel counts', content: { [JSON_TYPE]: wire.wireStats } } },
    errors: RUNTIME_ERRORS,
    async run(ports, { req, res }) {
      const stats = await ports.streams.wait(res, (ending) => runtimeOf(ports, req).stats(ending));
      sendJson(res, 200, toWireStats(stats));
    },
  }),
  defineRoute('get', FORWARDS, 'listForwards', {
    summary: 'Ports as seen from the container that are reachable on 127.0.0.1 of this machine',
    answers: { 200: { description: 'The forwards', content: { [JSON_TYPE]: wire.wireForwards } } },
    errors: [403, 404, 409, 504],
    async run(ports, { req, res }) {
      const found = await ports.streams.wait(res, () => runtimeOf(ports, req).forwards());
      sendJson(res, 200, { forwards: found.map(toWireForward) });
    },
  }),
  defineRoute('post', FORWARDS, 'createForward', {
    summary: 'Make a port as seen from the container reachable on 127.0.0.1; kept over recreate and restarts',
    body: requests.forwardBody,
    answers: { 201: { description: 'The forward', content: { [JSON_TYPE]: wire.wireForward } } },
    errors: RUNTIME_ERRORS,
    async run(ports, { req, res, body }) {
      const request = { port: body.port, host: body.host, hostPort: body.host_port };
      const forward = await ports.streams.wait(res, () => runtimeOf(ports, req).forward(request));
      sendJson(res, 201, toWireForward(forward));
    },
  }),
  defineRoute('delete', `${FORWARDS}/:forward`, 'endForward', {
    summary: 'End a forward and the connections over it',
    answers: { 204: { description: 'Gone' } },
    errors: [403, 404, 409, 504],
    async run(ports, { req, res }) {
      await ports.streams.wait(res, () => runtimeOf(ports, req).endForward(readId(req.params, 'forward')));
      res.writeHead(204).end();
    },
  }),
];
