import { request } from 'node:http';
import { connect as connectTcp } from 'node:net';
import * as fc from 'fast-check';
import { expect, onTestFinished, test } from 'vitest';
import { createDeferred } from '../async/deferred.ts';
import type { Via } from '../agentcontainers/ports.ts';
import { AgentContainersError } from '../errors.ts';
import type { ErrorCode } from '../errors.ts';
import { createFakeClock } from '../testing/fake-clock.ts';
import { createApp } from './app.ts';
import { createRouter } from './router.ts';
import { scriptedApi } from './test-api.ts';
import { ask, connect, listen, mount } from './test-server.ts';
import { FakeProcess } from './test-process.ts';
import { scriptedRuntime } from './test-runtime.ts';
import { openSocket, serveRuntime, soon } from './test-sockets.ts';
import type { SocketClient } from './test-sockets.ts';

const KEY = '3f2504e0-4f89-11d3-9a0c-0305e82c3301';
const PATHS = ['exec', 'processes/p-1/attach', `pty?reconnect=${KEY}`];
const TOKEN = 't'.repeat(43);

const runtime = () => {
  const terminal = () => new FakeProcess({ tty: { width: 80, height: 24 }, key: KEY });
  return scriptedRuntime({
    exec: async () => terminal().running,
    attach: async () => terminal().attached,
    processes: async () => [],
    spawn: async () => terminal().process,
  });
};

test.each(PATHS)('%s is served below the mount path and its alias, to who may call only', async (path) => {
  const app = createApp(scriptedApi({ devcontainer: runtime }), { clock: createFakeClock(), token: TOKEN });
  const port = await listen(app.createServer({ trust: 'token' }));
  onTestFinished(() => app.close());
  const bearer = { authorization: `Bearer ${TOKEN}` };
  for (const below of ['/api/v0/containers/devcontainers', '/devcontainers']) {
    const url = `ws://127.0.0.1:${port}${below}/dc-1/${path}`;
    const client = await openSocket(url, bearer);
    expect(client.ws.readyState).toBe(client.ws.OPEN);
    await expect(openSocket(url)).rejects.toMatchObject({ status: 401, body: { message: 'Missing or invalid token' } });
    await expect(openSocket(url, { ...bearer, origin: 'http://evil.example' })).rejects.toMatchObject({
      status: 403,
      body: { message: 'Origin not allowed' },
    });
    await expect(openSocket(url, { ...bearer, host: 'evil.example' })).rejects.toMatchObject({ status: 403 });
    await expect(openSocket(url, { ...bearer, 'sec-fetch-site': 'cross-site' })).rejects.toMatchObject({ status: 403 });
  }
  for (const below of ['/x/devcontainers', '/api/v0/containers/x/devcontainers']) {
    await expect(openSocket(`ws://127.0.0.1:${port}${below}/dc-1/${path}`, bearer)).rejects.toMatchObject({
      status: 404,
      body: { message: 'Route not found' },
    });
  }
});

test('an embedder may refuse an upgrade', async () => {
  const router = createRouter(scriptedApi({ devcontainer: runtime }), {
    clock: createFakeClock(),
    authorizeUpgrade: () => {
      throw new AgentContainersError('unauthorized', 'Who are you?');
    },
  });
  const port = await mount(router);
  for (const path of PATHS) {
    await expect(openSocket(`ws://127.0.0.1:${port}/mnt/devcontainers/dc-1/${path}`)).rejects.toMatchObject({
      status: 401,
    });
  }
});

test.each<[ErrorCode, number]>([
  ['devcontainer-not-found', 404],
  ['devcontainer-not-adopted', 403],
  ['devcontainer-not-running', 409],
  ['api-closed', 503],
])('what is refused with %s has its status before the upgrade', async (code, status) => {
  const fail = (): Promise<never> => Promise.reject(new AgentContainersError(code, 'Asking failed.'));
  const { url } = await serveRuntime({ via: fail, attach: fail, processes: fail });
  for (const path of PATHS) await expect(openSocket(url(path))).rejects.toMatchObject({ status, body: { code } });
});

test.each([
  ['/mnt/devcontainers//exec', 400, 'Missing devcontainer ID'],
  ['/mnt/devcontainers/%zz/exec', 400, 'Malformed URL'],
  ['/mnt/devcontainers/dc-1/exec?argv=x', 400, 'Invalid request'],
  ['/mnt/devcontainers/dc-1/logs', 404, 'Route not found'],
])('an upgrade to %s is answered with %i', async (path, status, message) => {
  const { port } = await serveRuntime({});
  await expect(connect(`ws://127.0.0.1:${port}${path}`)).rejects.toMatchObject({ status, body: { message } });
});

test('plain requests are told what the addresses are for', async () => {
  const { port } = await serveRuntime({});
  for (const path of PATHS) {
    expect(await ask(port, { path: `/mnt/devcontainers/dc-1/${path}` })).toMatchObject({
      status: 500,
      json: { message: 'Failed to upgrade connection to websocket.' },
    });
  }
});

test.each([[{ 'sec-websocket-version': '7' }], [{ 'sec-websocket-key': 'short' }], [{ upgrade: 'h2c' }]])(
  'a handshake with %o is refused before anything is started',
  async (headers) => {
    const { port } = await serveRuntime({ processes: () => Promise.reject(new Error('must not be called')) });
    const req = request({
      port,
      host: '127.0.0.1',
      path: `/mnt/devcontainers/dc-1/pty?reconnect=${KEY}`,
      headers: {
        connection: 'upgrade',
        upgrade: 'websocket',
        'sec-websocket-version': '13',
        'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==',
        ...headers,
      },
    });
    req.end();
    const status = await new Promise((resolve) => req.once('response', (res) => resolve(res.resume().statusCode)));
    expect(status).toBe(500);
  },
);

test('the number of WebSockets is bounded, also of those that are not open yet', async () => {
  const ready = createDeferred<Via>();
  const { url, asked } = await serveRuntime({ via: () => ready.promise }, { maxSockets: 2 });
  const both = [openSocket(url('exec')), openSocket(url('exec'))];
  await soon(() => asked.length).toBe(2);
  await expect(openSocket(url('exec'))).rejects.toMatchObject({ status: 503 });
  ready.resolve('resident');
  const [first] = await Promise.all(both);
  await expect(openSocket(url('exec'))).rejects.toMatchObject({
    status: 503,
    body: { message: 'Too many open streams' },
  });
  first?.ws.close();
  await first?.closed;
  await soon(() =>
    openSocket(url('exec')).then(
      () => 'open',
      () => 'refused',
    ),
  ).toBe('open');
});

test('an upgrade that waits ends with its client, and with the server', async () => {
  const signals: AbortSignal[] = [];
  const { url, port, router, clock } = await serveRuntime({
    via: (signal) =>
      new Promise((_resolve, reject) => {
        signals.push(signal as AbortSignal);
        signal?.addEventListener('abort', () => reject(signal.reason as Error));
      }),
  });
  const leaving = connectTcp(port, '127.0.0.1');
  leaving.write(
    'GET /mnt/devcontainers/dc-1/exec HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\n' +
      'sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n',
  );
  await soon(() => signals.length).toBe(1);
  const staying = openSocket(url('exec'));
  await soon(() => signals.length).toBe(2);
  leaving.resetAndDestroy();
  const refused = staying.catch((error: unknown) => error);
  await router.close();
  expect(await refused).toMatchObject({ status: 503, body: { message: 'API closed' } });
  expect(signals.map(({ aborted }) => aborted)).toEqual([true, true]);
  expect(clock.pending()).toEqual([]);
});

test('a terminal whose viewer has left before the upgrade is let go of', async () => {
  const process = new FakeProcess({ tty: { width: 80, height: 24 } });
  const asked = createDeferred<void>();
  const ready = createDeferred<void>();
  const { port, router } = await serveRuntime({
    attach: async () => {
      asked.resolve();
      await ready.promise;
      return process.attached;
    },
  });
  const leaving = connectTcp(port, '127.0.0.1');
  leaving.write(
    'GET /mnt/devcontainers/dc-1/processes/p-1/attach HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\n' +
      'upgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n',
  );
  await asked.promise;
  const gone = new Promise((resolve) => leaving.once('close', resolve));
  leaving.resetAndDestroy();
  await gone;
  ready.resolve();
  await soon(async () => {
    // At the latest when the server ends.
    await router.close();
    return process.detaches;
  }).toBeGreaterThan(0);
});

const CODES = [1000, 1005, 1006, 1007, 1008, 1009, 1011];
const anyJson = fc.oneof(
  fc.json(),
  fc.constantFrom(
    '{"argv":["cat"],"stdin":true}',
    '{"type":"detach"}',
    '{"type":"signal","signal":"INT"}',
    '{"type":"resize","width":3,"height":4}',
    '{"data":"x"}',
    '{"width":5,"data":"\\ud800"}',
  ),
);
const anyFrame = fc.oneof(
  fc.record({ content: anyJson.map((text) => Buffer.from(text)), binary: fc.boolean() }),
  fc.record({ content: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)), binary: fc.boolean() }),
);

test('whatever clients send, each connection ends with a code, and the next one is served', async () => {
  const opened: FakeProcess[] = [];
  const signals: AbortSignal[] = [];
  const made = (): FakeProcess => {
    const process = new FakeProcess({ tty: { width: 80, height: 24 } });
    opened.push(process);
    return process;
  };
  const { url, clock } = await serveRuntime({
    exec: async (_spec, signal) => {
      signals.push(signal as AbortSignal);
      return made().running;
    },
    attach: async () => made().attached,
    processes: async () => [],
    spawn: async () => new FakeProcess({ tty: { width: 80, height: 24 } }).process,
    signal: async () => {},
    resize: async () => {},
    writeStdin: async () => {},
  });
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...PATHS), fc.array(anyFrame, { maxLength: 12 }), async (path, frames) => {
      const client: SocketClient = await openSocket(url(path));
      for (const { content, binary } of frames) client.ws.send(content, { binary });
      client.ws.close();
      const { code } = await client.closed;
      expect(CODES).toContain(code);
      if (code === 1011) expect(client.texts('error')).not.toEqual([]);
    }),
    { numRuns: 150 },
  );
  await soon(() => clock.pending()).toEqual([]);
  // Nothing is kept: what was started was either let go of or told to end.
  expect(opened.length).toBeGreaterThan(0);
  await soon(
    () => opened.filter(({ detaches }) => detaches > 0).length + signals.filter(({ aborted }) => aborted).length,
  ).toBe(opened.length);
});

test('bytes that are no WebSocket frames end one connection only', async () => {
  const { url, port } = await serveRuntime({ attach: async () => new FakeProcess().attached });
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 200 }), async (bytes) => {
      const raw = connectTcp(port, '127.0.0.1');
      raw.on('error', () => {});
      raw.write(
        'GET /mnt/devcontainers/dc-1/processes/p-1/attach HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\n' +
          'upgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n',
      );
      await new Promise((resolve) => raw.once('data', resolve));
      const gone = new Promise((resolve) => raw.once('close', resolve));
      raw.end(bytes);
      raw.resume();
      await gone;
    }),
    { numRuns: 60 },
  );
  const client = await openSocket(url('processes/p-1/attach'));
  expect(await client.text('started')).toBeDefined();
});
