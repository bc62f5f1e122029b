import type { ClientHttp2Stream } from 'node:http2';
import type { ContainerFiles, FoundLine, FoundMore } from '../../agentcontainers/ports.ts';
import { isAgentContainersError } from '../../errors.ts';
import { abandon } from './abandon.ts';
import { FRAME } from './frames.ts';
import { createItemPipe } from '../../async/item-pipe.ts';
import { readBody } from './read-body.ts';
import { readFrames } from './read-frames.ts';
import { writeBody } from './write-body.ts';
import { requestPath } from './request-path.ts';
import type { ResidentAgent } from './resident-agent.ts';
import { cutOff } from './resident-errors.ts';
import { foundSchema, listSchema, nothingSchema, statSchema, toFoundLine, toStat } from './wire.ts';

const notFound = 'path-not-found';
/** Ten thousand long names. */
const LIST_BYTES = 32 * 1_048_576;
/** From the last byte to the answer: the file is synchronised and renamed. */
const WRITE_TIMEOUT_MS = 24 * 3_600_000;

/** The files of a container, as the user of its agent may. */
export function createFiles(agent: ResidentAgent): ContainerFiles {
  return {
    async stat(path, signal) {
      const doing = `Looking at ${shown(path)}`;
      const wanted = requestPath('/v1/files/stat', { path });
      try {
        const request = { doing, method: 'GET', path: wanted, schema: statSchema, notFound, signal } as const;
        return toStat(await agent.request(request));
      } catch (error) {
        if (isAgentContainersError(error, notFound)) return undefined;
        throw error;
      }
    },

    async list(path, signal) {
      const found = await agent.request({
        doing: `Listing ${shown(path)}`,
        method: 'GET',
        path: requestPath('/v1/files/list', { path }),
        schema: listSchema,
        limit: LIST_BYTES,
        mayBeLong: true,
        notFound,
        signal,
      });
      return { entries: found.entries.map(toStat), truncated: found.truncated };
    },

    async read(path, range = {}, signal) {
      const doing = `Reading ${shown(path)}`;
      const wanted = requestPath('/v1/files/read', { path, offset: range.offset, length: range.length });
      return agent.link.use(
        doing,
        async (connection) => {
          const request = { doing, method: 'GET', path: wanted, notFound, signal } as const;
          const { body, headers } = await connection.open(request);
          const size = Number(headers['x-size']);
          if (!Number.isSafeInteger(size) || size < 0) throw connection.fail('a file has no size');
          const atLeast = Math.min(range.length ?? Infinity, Math.max(0, size - (range.offset ?? 0)));
          return { size, bytes: readBody(body, { doing, atLeast, signal }) };
        },
        { signal, mayRepeat: true },
      );
    },

    async write(path, content, options = {}, signal) {
      const wanted = requestPath('/v1/files/write', {
        path,
        mode: options.mode,
        parents: options.parents ? 1 : undefined,
        create_only: options.createOnly ? 1 : undefined,
      });
      const stat = await agent.request({
        doing: `Writing ${shown(path)}`,
        method: 'PUT',
        path: wanted,
        send: (body: ClientHttp2Stream) => writeBody(body, content),
        length: content instanceof Uint8Array ? content.length : undefined,
        timeoutMs: WRITE_TIMEOUT_MS,
        schema: statSchema,
        notFound,
        signal,
      });
      return toStat(stat);
    },

    async mkdir(path, options = {}, signal) {
      const json = { path, mode: options.mode, parents: options.parents };
      return change('mkdir', `Making the directory ${shown(path)}`, json, signal);
    },

    async move(from, to, options = {}, signal) {
      const json = { from, to, overwrite: options.overwrite };
      // Between file systems it copies, which takes the time that it takes.
      return change('move', `Moving ${shown(from)}`, json, signal, WRITE_TIMEOUT_MS);
    },

    async remove(path, options = {}, signal) {
      await agent.request({
        doing: `Removing ${shown(path)}`,
        method: 'POST',
        path: '/v1/files/remove',
        json: { path, recursive: options.recursive },
        timeoutMs: WRITE_TIMEOUT_MS,
        schema: nothingSchema,
        notFound,
        signal,
      });
    },

    async *search(path, query, signal) {
      yield* searchFiles(agent, path, query, signal);
    },
  };

  async function change(
    name: string,
    doing: string,
    json: object,
    signal: AbortSignal | undefined,
    timeoutMs?: number,
  ) {
    const request = { doing, method: 'POST', path: `/v1/files/${name}`, json, notFound, timeoutMs, signal } as const;
    return toStat(await agent.request({ ...request, schema: statSchema }));
  }
}

async function* searchFiles(
  agent: ResidentAgent,
  path: string,
  query: { readonly glob?: string; readonly text?: string; readonly limit?: number },
  signal: AbortSignal | undefined,
): AsyncGenerator<FoundLine | FoundMore> {
  const doing = `Searching ${shown(path)}`;
  const connection = await agent.link.ready(doing, signal);
  const { body } = await connection.open({
    doing,
    method: 'POST',
    path: '/v1/files/search',
    headers: { 'content-type': 'application/json' },
    first: Buffer.from(JSON.stringify({ path, ...query })),
    notFound,
    signal,
  });
  const found = createItemPipe<FoundLine | FoundMore>(() => body.resume());
  let isDone = false;
  readFrames(connection, body, ({ kind, payload }) => {
    const line = foundSchema.safeParse(kind === FRAME.json ? JSON.parse(payload.toString('utf8')) : undefined);
    if (!line.success || isDone) throw new Error('what was found is nothing that can be');
    if ('done' in line.data) {
      isDone = true;
      if (line.data.truncated) found.push({ truncated: true }, 0);
    } else if (!found.push(toFoundLine(line.data), payload.length)) body.pause();
  }).then(
    (isWhole) => (isWhole && isDone ? found.end() : found.fail(signal?.aborted ? signal.reason : cutOff(doing))),
    found.fail,
  );
  try {
    yield* found;
  } finally {
    abandon(body);
  }
}

/** A path as an error shows it. */
function shown(path: string): string {
  return JSON.stringify(path.length > 200 ? `…${path.slice(-199)}` : path);
}
