import { z } from 'zod';
import { AgentContainersError } from '../errors.ts';
import { sendFile, streamFound } from './file-stream.ts';
import { LIMITS } from './limits.ts';
import { sendJson } from './responses.ts';
import type { Route } from './route.ts';
import { defineRoute } from './route.ts';
import { RUNTIME_ERRORS, runtimeOf } from './runtime-of.ts';
import * as requests from './runtime-request-schemas.ts';
import * as wire from './runtime-wire-schemas.ts';
import { toWireFileStat } from './runtime-wire.ts';
import { receiveUpload } from './upload.ts';

const JSON_TYPE = 'application/json';
const FILES = '/devcontainers/:id/files';
const STAT = { 200: { description: 'What is there now', content: { [JSON_TYPE]: wire.wireFileStat } } };

/** Files in the container, as the user of what runs there may. */
export const FILE_ROUTES: readonly Route[] = [
  defineRoute('get', `${FILES}/stat`, 'statFile', {
    summary: 'What is at a path; a link is shown as itself',
    query: requests.pathQuery,
    answers: STAT,
    errors: RUNTIME_ERRORS,
    async run(ports, { req, res, query }) {
      const stat = await ports.streams.wait(res, (ending) => runtimeOf(ports, req).files.stat(query.path, ending));
      if (!stat) {
        throw new AgentContainersError(
          'path-not-found',
          `Looking at ${JSON.stringify(query.path.slice(0, 200))} failed: there is no such path.`,
        );
      }
      sendJson(res, 200, toWireFileStat(stat));
    },
  }),
  defineRoute('get', `${FILES}/list`, 'listFiles', {
    summary: 'What is in a directory; at most 10,000, through the engine 500 entries',
    query: requests.pathQuery,
    answers: { 200: { description: 'Its entries', content: { [JSON_TYPE]: wire.wireFileList } } },
    errors: RUNTIME_ERRORS,
    async run(ports, { req, res, query }) {
      const found = await ports.streams.wait(res, (ending) => runtimeOf(ports, req).files.list(query.path, ending));
      sendJson(res, 200, { entries: found.entries.map(toWireFileStat), truncated: found.truncated });
    },
  }),
  defineRoute('get', `${FILES}/content`, 'readFile', {
    summary: 'A file, or a part of it; the connection is cut when it cannot be read to its end',
    query: requests.readQuery,
    answers: {
      200: {
        description: 'Its bytes',
        content: { 'application/octet-stream': z.string().meta({ format: 'binary' }) },
      },
    },
    errors: RUNTIME_ERRORS,
    streams: true,
    async run(ports, { req, res, query }) {
      await sendFile(ports.streams, runtimeOf(ports, req).files, res, query);
    },
  }),
  defineRoute('put', `${FILES}/content`, 'writeFile', {
    summary: 'Write a file of any size, whole or not at all: what was there stays until all of it has come',
    query: requests.writeQuery,
    uploads: true,
    answers: STAT,
    errors: RUNTIME_ERRORS,
    async run(ports, { req, res, query }) {
      const { path, mode, parents = false, create_only: createOnly = false } = query;
      const options = { parents, createOnly, ...(mode === undefined ? {} : { mode }) };
      const { files } = runtimeOf(ports, req);
      const stat = await ports.streams.run(res, (ending) =>
        receiveUpload(req, ports.clock, (content) => files.write(path, content, options, ending)),
      );
      sendJson(res, 200, toWireFileStat(stat));
    },
  }),
  defineRoute('post', `${FILES}/mkdir`, 'makeDirectory', {
    summary: 'Make a directory',
    body: requests.mkdirBody,
    answers: STAT,
    errors: RUNTIME_ERRORS,
    async run(ports, { req, res, body: { path, mode, parents = false } }) {
      const options = { parents, ...(mode === undefined ? {} : { mode }) };
      const stat = await ports.streams.wait(res, (ending) => runtimeOf(ports, req).files.mkdir(path, options, ending));
      sendJson(res, 200, toWireFileStat(stat));
    },
  }),
  defineRoute('post', `${FILES}/move`, 'moveFile', {
    summary: 'Move or rename',
    body: requests.moveBody,
    answers: STAT,
    errors: RUNTIME_ERRORS,
    async run(ports, { req, res, body: { from, to, overwrite = false } }) {
      const stat = await ports.streams.runOnce(res, (ending) =>
        runtimeOf(ports, req).files.move(from, to, { overwrite }, ending),
      );
      sendJson(res, 200, toWireFileStat(stat));
    },
  }),
  defineRoute('post', `${FILES}/remove`, 'removeFile', {
    summary: 'Remove; of a link the link itself',
    body: requests.removeBody,
    answers: { 204: { description: 'Gone' } },
    errors: RUNTIME_ERRORS,
    async run(ports, { req, res, body: { path, recursive = false } }) {
      await ports.streams.runOnce(res, (ending) => runtimeOf(ports, req).files.remove(path, { recursive }, ending));
      res.writeHead(204).end();
    },
  }),
  defineRoute('post', `${FILES}/search`, 'searchFiles', {
    summary: 'Find files by name, and lines by text; follows no links and skips `.git`',
    body: requests.searchBody,
    answers: {
      200: {
        description: 'A line for each that is found; the connection is cut when it cannot be gone on with',
        content: { 'application/x-ndjson': wire.wireFoundLine },
      },
    },
    errors: RUNTIME_ERRORS,
    streams: true,
    async run(ports, { req, res, body: { path, glob, text, limit = LIMITS.found } }) {
      const query = { limit, ...(glob === undefined ? {} : { glob }), ...(text === undefined ? {} : { text }) };
      await streamFound(ports.streams, res, (ending) => runtimeOf(ports, req).files.search(path, query, ending));
    },
  }),
];
