import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';

/** A control plane on loopback that outlives the daemons that are killed under it. */
export interface ControlPlaneServer extends AsyncDisposable {
  readonly url: string;
  /** Names of the records it holds. */
  names(): string[];
}

export async function startControlPlane(): Promise<ControlPlaneServer> {
  const records = new Map<string, { id: string; name: string }>();
  const server = createServer((request, response) => {
    const answer = (status: number, body?: object): void => {
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(body && JSON.stringify(body));
    };
    void (async () => {
      const id = /^\/sub-agents\/([^/]+)$/.exec(request.url ?? '')?.[1];
      if (request.method === 'GET') return answer(200, { sub_agents: [...records.values()] });
      if (request.method === 'DELETE') {
        records.delete(id ?? '');
        return answer(204);
      }
      const spec = (await json(request)) as { name: string };
      if ([...records.values()].some(({ name }) => name === spec.name)) return answer(409, { code: 'name-taken' });
      const record = { ...spec, id: randomUUID() };
      records.set(record.id, record);
      return answer(201, { sub_agent: record, token: `token-${record.id}` });
    })().catch(() => answer(500));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    names: () => [...records.values()].map(({ name }) => name),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
