import { posix } from 'node:path';
import { AgentContainersError, isAgentContainersError } from '../../errors.ts';
import type { WireFileList, WireFileStat } from '../../http/runtime-wire-schemas.ts';
import { type ClientRequest, connectionError, type DaemonClient } from '../client/client.ts';

/** Files of one container over the daemon's routes; each call ends when the signal aborts. */
export interface ContainerFolder {
  /** What a link leads to, over any number of links. `undefined` when there is nothing. */
  follow(path: string): Promise<{ readonly path: string; readonly stat: WireFileStat } | undefined>;
  list(path: string): Promise<WireFileList>;
  read(path: string): Promise<AsyncIterable<Uint8Array>>;
  /** Whole or not at all. */
  write(path: string, content: AsyncIterable<Uint8Array>, mode: string | undefined): Promise<void>;
  mkdir(path: string, mode: string): Promise<void>;
}

/** As many as the kernel follows. */
const MOST_LINKS = 40;

/** @param base `/devcontainers/:id` */
export function createContainerFolder(client: DaemonClient, base: string, signal: AbortSignal): ContainerFolder {
  const url = (route: string, query: Readonly<Record<string, string>>): string =>
    `${base}/files/${route}?${new URLSearchParams(query).toString()}`;
  const send = async (request: ClientRequest): Promise<unknown> => (await client.send({ ...request, signal })).body;

  async function stat(path: string): Promise<WireFileStat | undefined> {
    try {
      return (await send({ method: 'GET', path: url('stat', { path }) })) as WireFileStat;
    } catch (error) {
      if (isAgentContainersError(error, 'path-not-found')) return undefined;
      throw error;
    }
  }

  return {
    async follow(path) {
      // `link/.` is asked for as the link: what it leads to is found out here.
      let at = posix.normalize(path).replace(/(?<=.)\/+$/, '');
      for (let links = 0; links < MOST_LINKS; links++) {
        const found = await stat(at);
        if (found?.type !== 'link' || found.target === undefined) return found && { path: at, stat: found };
        at = found.target.startsWith('/') ? found.target : `${posix.dirname(at)}/${found.target}`;
      }
      throw new AgentContainersError('invalid-request', `Copying ${path} failed: its links lead in a circle.`);
    },
    list: async (path) => (await send({ method: 'GET', path: url('list', { path }) })) as WireFileList,
    async read(path) {
      const headers = { accept: 'application/octet-stream' };
      const response = await client.stream({ method: 'GET', path: url('content', { path }), headers, signal });
      return whole(response, client.socket, signal);
    },
    async write(path, content, mode) {
      const query = { path, ...(mode === undefined ? {} : { mode }) };
      await send({ method: 'PUT', path: url('content', query), content });
    },
    async mkdir(path, mode) {
      await send({ method: 'POST', path: `${base}/files/mkdir`, body: { path, mode } });
    },
  };
}

/** What breaks off is no end. */
async function* whole(
  response: AsyncIterable<Uint8Array>,
  socket: string,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  try {
    yield* response;
  } catch (error) {
    throw connectionError(error, socket, signal);
  }
}
