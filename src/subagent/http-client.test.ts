import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SubAgentSpec } from '../agentcontainers/ports.ts';
import { createFakeClock } from '../testing/fake-clock.ts';
import type { FakeClock } from '../testing/fake-clock.ts';
import { createHttpSubAgentClient } from './http-client.ts';

// Against a real HTTP server on loopback; time is the fake clock's.

const ID = '5b5a0f0e-6f3c-4a8e-9d0e-0a3c1f3e7b11';
const SECRET = 'control-plane-secret-canary';
const { signal } = new AbortController();

const spec: SubAgentSpec = {
  name: 'project',
  directory: '/workspaces/project',
  operatingSystem: 'linux',
  architecture: 'amd64',
  displayApps: ['vscode', 'web_terminal'],
  apps: [{ slug: 'web', url: 'http://x' }],
};
const wire = {
  name: 'project',
  directory: '/workspaces/project',
  operating_system: 'linux',
  architecture: 'amd64',
  display_apps: ['vscode', 'web_terminal'],
  apps: [{ slug: 'web', url: 'http://x' }],
};
const record = { id: ID, parentId: undefined, ...spec };

interface Received {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}
type Respond = (request: Received, response: ServerResponse) => void;

let server: Server;
let base: string;
let clock: FakeClock;
let requests: Received[];
let responses: Respond[];

const json =
  (status: number, body: unknown): Respond =>
  (_, response) =>
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));

beforeEach(async () => {
  clock = createFakeClock();
  requests = [];
  responses = [];
  server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (text: string) => (body += text));
    request.on('end', () => {
      const received = { method: request.method ?? '', url: request.url ?? '', headers: request.headers, body };
      requests.push(received);
      const respond = responses.shift() ?? json(500, { message: 'no answer was scripted' });
      respond(received, response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}/agents/v1`;
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  expect(clock.pending()).toEqual([]);
});

function client(options: { timeoutMs?: number; token?: string; url?: string } = {}) {
  return createHttpSubAgentClient({ url: base, token: SECRET, clock, random: () => 0.5, ...options });
}

/** Lets the back-off pass as often as it is waited for, until the call has settled. */
async function throughRetries<T>(call: Promise<T>): Promise<T> {
  let settled = false;
  const done = call.finally(() => (settled = true));
  done.catch(() => {});
  const until = performance.now() + 10_000;
  while (!settled && performance.now() < until) {
    await new Promise((resolve) => setImmediate(resolve));
    const retry = clock.pending().find(({ tag }) => tag === 'control plane: retry');
    if (retry) await clock.run(retry.at - clock.now());
  }
  return done;
}

describe('createHttpSubAgentClient', () => {
  it('speaks the documented contract', async () => {
    responses.push(
      json(200, { sub_agents: [{ id: ID, parent_id: null, ...wire, new_field: 1 }] }),
      json(201, { sub_agent: { id: ID, ...wire }, token: 'sub-agent-token' }),
      json(200, { sub_agent: { id: ID, ...wire }, token: 'another-token' }),
      (_, response) => response.writeHead(204).end(),
    );
    const plane = client();
    expect(await plane.list(signal)).toEqual([record]);
    expect(await plane.create(spec, signal)).toEqual({ record, token: 'sub-agent-token' });
    expect(await plane.create({ ...spec, id: ID }, signal)).toEqual({ record, token: 'another-token' });
    await plane.delete(ID, signal);

    expect(requests.map(({ method, url }) => `${method} ${url}`)).toEqual([
      'GET /agents/v1/sub-agents',
      'POST /agents/v1/sub-agents',
      `PUT /agents/v1/sub-agents/${ID}`,
      `DELETE /agents/v1/sub-agents/${ID}`,
    ]);
    for (const { headers } of requests) expect(headers.authorization).toBe(`Bearer ${SECRET}`);
    expect(JSON.parse(requests[1]?.body ?? '')).toEqual(wire);
    expect(requests[1]?.headers['idempotency-key']).toMatch(/^[\x21-\x7e]{1,64}$/);
  });

  it('tries again on 5xx and lost connections, with one idempotency key for one registration', async () => {
    responses.push(
      json(503, {}),
      (_, response) => response.destroy(),
      (_, response) => response.writeHead(200, { 'content-length': '100' }).write('{"sub', () => response.destroy()),
      json(201, { sub_agent: { id: ID, ...wire }, token: 't' }),
    );
    expect((await throughRetries(client().create(spec, signal))).token).toBe('t');
    expect(requests).toHaveLength(4);
    expect(new Set(requests.map(({ headers }) => headers['idempotency-key'])).size).toBe(1);

    responses.push(json(201, { sub_agent: { id: ID, ...wire }, token: 't' }));
    await client().create(spec, signal);
    expect(new Set(requests.map(({ headers }) => headers['idempotency-key'])).size).toBe(2);
  });

  it('waits longer each time and gives up after five tries', async () => {
    const began = clock.now();
    const call = throughRetries(client({ timeoutMs: 60_000 }).list(signal));
    await expect(call).rejects.toMatchObject({
      code: 'control-plane-unreachable',
      message: expect.stringMatching(/^Listing the sub-agents failed: .*it answers with status 500\. Check/),
    });
    expect(requests).toHaveLength(5);
    // Half of 200, 400, 800 and 1600 ms.
    expect(clock.now() - began).toBe(1_500);
  });

  it('says why it cannot connect', async () => {
    const address = base;
    await new Promise((resolve) => server.close(resolve));
    const call = throughRetries(client({ url: address }).list(signal));
    await expect(call).rejects.toThrow(/cannot be reached: .*ECONNREFUSED.*Check its address and whether it runs\.$/);
    server = createServer();
    await new Promise<void>((resolve) => server.listen(0, resolve));
  });

  it('gives up at its deadline when there is no answer', async () => {
    let arrived: () => void = () => {};
    const arrival = new Promise<void>((resolve) => (arrived = resolve));
    responses.push(() => arrived());
    const call = client({ timeoutMs: 3_000 }).list(signal);
    call.catch(() => {});
    await arrival;
    await clock.advance(3_000);
    await expect(call).rejects.toMatchObject({
      code: 'control-plane-unreachable',
      message: expect.stringContaining('no good answer within 3 s'),
    });
  });

  it('ends with the reason of its signal, before and during the call', async () => {
    const controller = new AbortController();
    let arrived: () => void = () => {};
    const arrival = new Promise<void>((resolve) => (arrived = resolve));
    responses.push(() => arrived());
    const call = client().list(controller.signal);
    call.catch(() => {});
    await arrival;
    controller.abort(new Error('not needed any more'));
    await expect(call).rejects.toThrow('not needed any more');
    await expect(client().list(controller.signal)).rejects.toThrow('not needed any more');
    expect(requests).toHaveLength(1);
  });

  it('tells a taken name apart', async () => {
    responses.push(json(409, { message: 'taken' }), json(409, {}));
    await expect(client().create(spec, signal)).rejects.toMatchObject({ code: 'sub-agent-name-taken' });
    await expect(client().create({ ...spec, id: ID }, signal)).rejects.toMatchObject({ code: 'sub-agent-name-taken' });
  });

  it.each([400, 401, 403, 404, 409, 418, 429, 301, 302])('does not try again on %i', async (status) => {
    responses.push((_, response) => response.writeHead(status, { location: '/elsewhere' }).end('{"message":"no"}'));
    await expect(client().list(signal)).rejects.toMatchObject({
      code: 'control-plane-refused',
    });
    expect(requests).toHaveLength(1);
  });

  it('takes a deletion of what is gone as success, and nothing else', async () => {
    responses.push(json(404, {}), json(409, {}));
    await client().delete(ID, signal);
    await expect(client().delete(ID, signal)).rejects.toMatchObject({ code: 'control-plane-refused' });
  });

  it('shows one bounded line of the reason, and never a token', async () => {
    const message = `no \u001b[31mred\u001b[0m\n${SECRET} ${'x'.repeat(5_000)}`;
    responses.push(json(403, { message }));
    const error = await client()
      .list(signal)
      .catch((caught: unknown) => caught as Error);
    expect(error).toBeInstanceOf(Error);
    const text = (error as Error).message;
    expect(text).toContain('status 403: no red [redacted] xxx');
    expect(text.length).toBeLessThan(600);
    expect(text).not.toMatch(/\p{Cc}/u);
    expect(JSON.stringify(error) + String((error as Error).stack)).not.toContain(SECRET);
  });

  it.each([
    ['no JSON', 'hello', 'the answer is not JSON'],
    ['another shape', '{"sub_agents":{}}', 'not what the contract says at sub_agents'],
    ['a bad id', JSON.stringify({ sub_agents: [{ id: '../x', ...wire }] }), 'at sub_agents.0.id'],
    ['null', 'null', 'not what the contract says'],
    ['too much', JSON.stringify({ sub_agents: [], more: 'x'.repeat(5 * 1_048_576) }), 'larger than 4 MiB'],
  ])('refuses an answer that is %s', async (_, body, reason) => {
    responses.push((_request, response) => response.writeHead(200).end(body));
    await expect(client().list(signal)).rejects.toMatchObject({
      code: 'control-plane-refused',
      message: expect.stringContaining(reason),
    });
  });

  it('refuses a token that no environment could carry, and another id than the one asked for', async () => {
    responses.push(json(201, { sub_agent: { id: ID, ...wire }, token: 'two\nlines' }));
    const refusal = await client()
      .create(spec, signal)
      .catch((error: unknown) => error as Error);
    expect((refusal as Error).message).toContain('not what the contract says at token');
    expect((refusal as Error).message).not.toContain('two');
    responses.push(json(200, { sub_agent: { id: '00000000-0000-4000-8000-000000000000', ...wire }, token: 't' }));
    await expect(client().create({ ...spec, id: ID }, signal)).rejects.toThrow('another id');
  });

  it('leaves out display apps that it does not know', async () => {
    responses.push(json(200, { sub_agents: [{ id: ID, ...wire, display_apps: ['vscode', 'hologram'] }] }));
    expect((await client().list(signal))[0]?.displayApps).toEqual(['vscode']);
  });

  it.each(['', 'not a url', 'ftp://x/', 'http://user:pass@x/', 'unix:///x'])('refuses the address %j', (url) => {
    expect(() => client({ url })).toThrow('its address is not a plain http or https URL');
  });

  it('refuses a token with a line break without showing it', () => {
    expect(() => client({ token: 'secret\n' })).toThrow(/^(?!.*secret).*Check its file for line breaks\.$/);
  });
});
