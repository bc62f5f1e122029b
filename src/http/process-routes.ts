import { streamOutput, readOutputPage } from './output-stream.ts';
import { invalid, readId } from './request-input.ts';
import { sendJson } from './responses.ts';
import type { Route, RoutedRequest } from './route.ts';
import { defineRoute } from './route.ts';
import { RUNTIME_ERRORS, runtimeOf } from './runtime-of.ts';
import * as requests from './runtime-request-schemas.ts';
import * as wire from './runtime-wire-schemas.ts';
import { toBytes, toCommandSpec, toWireProcess } from './runtime-wire.ts';

const JSON_TYPE = 'application/json';
const PROCESSES = '/devcontainers/:id/processes';
const PROCESS = `${PROCESSES}/:process`;
const ONE = { description: 'The process', content: { [JSON_TYPE]: wire.wireProcess } };
const DONE = { 204: { description: 'Done' } };

const idOf = (req: RoutedRequest): string => readId(req.params, 'process');

/** Processes that outlive the request that started them. */
export const PROCESS_ROUTES: readonly Route[] = [
  defineRoute('get', PROCESSES, 'listProcesses', {
    summary: 'Commands and terminals that run in the container, and those that have ended and are not forgotten',
    answers: { 200: { description: 'The processes', content: { [JSON_TYPE]: wire.wireProcesses } } },
    errors: RUNTIME_ERRORS,
    async run(ports, { req, res }) {
      const found = await ports.streams.wait(res, (ending) => runtimeOf(ports, req).processes(ending));
      sendJson(res, 200, { processes: found.map(toWireProcess) });
    },
  }),
  defineRoute('post', PROCESSES, 'startProcess', {
    summary: 'Start a command in the background, or with `tty` a terminal',
    body: wire.startBody,
    answers: { 201: { ...ONE, description: 'The process, or that which was started with this key before' } },
    errors: RUNTIME_ERRORS,
    async run(ports, { req, res, body }) {
      const spec = toCommandSpec(body);
      const process = await ports.streams.wait(res, (ending) => runtimeOf(ports, req).spawn(spec, ending));
      sendJson(res, 201, toWireProcess(process));
    },
  }),
  defineRoute('get', PROCESS, 'getProcess', {
    summary: 'One process; with `wait` as soon as it has ended, or when the time is over',
    query: requests.processQuery,
    answers: { 200: ONE },
    errors: RUNTIME_ERRORS,
    async run(ports, { req, res, query }) {
      const process = await ports.streams.wait(res, (ending) =>
        runtimeOf(ports, req).process(idOf(req), query.wait === undefined ? {} : { waitMs: query.wait }, ending),
      );
      sendJson(res, 200, toWireProcess(process));
    },
  }),
  defineRoute('delete', PROCESS, 'forgetProcess', {
    summary: 'Forget a process that has ended, with its output',
    answers: { 204: { description: 'Forgotten' } },
    errors: RUNTIME_ERRORS,
    async run(ports, { req, res }) {
      await ports.streams.wait(res, (ending) => runtimeOf(ports, req).forget(idOf(req), ending));
      res.writeHead(204).end();
    },
  }),
  defineRoute('get', `${PROCESS}/output`, 'readOutput', {
    summary: 'What it has written, from an offset in bytes; with `follow` as lines until it has ended',
    query: requests.outputQuery,
    answers: {
      200: {
        description: 'A piece of it; with `follow` a line for each piece, then one of type `exit`',
        content: { [JSON_TYPE]: wire.wireOutputPage, 'application/x-ndjson': wire.wireExecLine },
      },
    },
    errors: RUNTIME_ERRORS,
    streams: true,
    async run(ports, { req, res, query }) {
      const runtime = runtimeOf(ports, req);
      const id = idOf(req);
      if (query.follow !== true) {
        sendJson(res, 200, await ports.streams.wait(res, (ending) => readOutputPage(runtime, id, query, ending)));
        return;
      }
      const other = (['wait', 'limit'] as const).filter((name) => query[name] !== undefined);
      if (other.length > 0) throw invalid(other.map((field) => ({ field, detail: 'Not together with `follow`.' })));
      await streamOutput(ports.streams, runtime, res, id, query.offset ?? 0);
    },
  }),
  defineRoute('post', `${PROCESS}/stdin`, 'writeStdin', {
    summary: 'Write to its standard input; answered when it has taken it, however long that takes',
    body: requests.stdinBody,
    answers: DONE,
    errors: RUNTIME_ERRORS,
    async run(ports, { req, res, body }) {
      const bytes = toBytes(body.data ?? '', body.encoding);
      const options = { eof: body.eof ?? false };
      await ports.streams.runOnce(res, (ending) => runtimeOf(ports, req).writeStdin(idOf(req), bytes, options, ending));
      res.writeHead(204).end();
    },
  }),
  defineRoute('post', `${PROCESS}/signal`, 'signalProcess', {
    summary: 'Send a signal to it, or to its whole tree',
    body: requests.signalBody,
    answers: DONE,
    errors: RUNTIME_ERRORS,
    async run(ports, { req, res, body }) {
      const options = { tree: body.tree ?? false };
      await ports.streams.wait(res, (ending) => runtimeOf(ports, req).signal(idOf(req), body.signal, options, ending));
      res.writeHead(204).end();
    },
  }),
  defineRoute('post', `${PROCESS}/resize`, 'resizeProcess', {
    summary: 'Change the size of its terminal',
    body: requests.resizeBody,
    answers: DONE,
    errors: RUNTIME_ERRORS,
    async run(ports, { req, res, body }) {
      const size = { width: body.width, height: body.height };
      await ports.streams.wait(res, (ending) => runtimeOf(ports, req).resize(idOf(req), size, ending));
      res.writeHead(204).end();
    },
  }),
  defineRoute('post', `${PROCESS}/kill`, 'killProcess', {
    summary: 'End its whole tree: TERM, then KILL; answered when it is gone, or with what survives in its exit',
    body: requests.killBody,
    answers: { 200: ONE },
    errors: RUNTIME_ERRORS,
    async run(ports, { req, res, body }) {
      const options = body.grace_ms === undefined ? {} : { graceMs: body.grace_ms };
      // What has begun to end goes on ending when the client leaves.
      const process = await ports.streams.wait(res, () => runtimeOf(ports, req).kill(idOf(req), options));
      sendJson(res, 200, toWireProcess(process));
    },
  }),
];
