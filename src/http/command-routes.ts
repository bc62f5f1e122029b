import { streamExec } from './exec-stream.ts';
import { readId } from './request-input.ts';
import { sendJson } from './responses.ts';
import type { Route } from './route.ts';
import { defineRoute } from './route.ts';
import { RUNTIME_ERRORS, runtimeOf } from './runtime-of.ts';
import * as requests from './runtime-request-schemas.ts';
import * as wire from './runtime-wire-schemas.ts';
import { toWireBash } from './runtime-wire.ts';

/** Commands that belong to the request that runs them. */
export const COMMAND_ROUTES: readonly Route[] = [
  defineRoute('post', '/devcontainers/:id/exec', 'exec', {
    summary:
      'Run a command in the container; closing the request ends its whole tree, the closing of the server does not',
    body: requests.execBody,
    answers: {
      200: {
        description: 'A line of type `started`, one for each piece of output, then one of type `exit`',
        content: { 'application/x-ndjson': wire.wireExecLine },
      },
    },
    errors: RUNTIME_ERRORS,
    streams: true,
    async run(ports, { req, res, body }) {
      await streamExec(ports, res, readId(req.params, 'id'), body);
    },
  }),
  defineRoute('post', '/devcontainers/:id/bash', 'bash', {
    summary:
      'Run a command as agents do: answered when it has ended, or its time is over; closing the request ends it, unless it has an idempotency key or runs in the background',
    body: requests.bashBody,
    answers: {
      200: { description: 'What it wrote, and how it ended', content: { 'application/json': wire.wireBash } },
    },
    errors: RUNTIME_ERRORS,
    async run(ports, { req, res, body }) {
      const request = {
        command: body.command,
        cwd: body.cwd,
        env: body.env,
        timeoutMs: body.timeout_ms,
        background: body.background,
        idempotencyKey: body.idempotency_key,
      };
      // The server's closing leaves it to its time-out: a retry with the same key is answered for the same run.
      const result = await ports.streams.wait(res, (_ending, left) => runtimeOf(ports, req).bash(request, left));
      sendJson(res, 200, toWireBash(result));
    },
  }),
];
