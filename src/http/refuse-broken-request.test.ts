import { once } from 'node:events';
import { promisify } from 'node:util';
import { connect as connectSocket } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { createFakeClock } from '../testing/fake-clock.ts';
import { createApp } from './app.ts';
import { LIMITS } from './limits.ts';
import { scriptedApi } from './test-api.ts';
import { fileStat, scriptedRuntime } from './test-runtime.ts';
import { listen } from './test-server.ts';

const BASE = '/api/v0/containers/devcontainers/dc-1/files';

/** A daemon whose requests have to be whole within a moment, and a connection to it. */
async function open(options: { readonly allowHalfOpen?: boolean } = {}) {
  let size = 0;
  const files = {
    async write(_path: string, content: Uint8Array | AsyncIterable<Uint8Array>) {
      for await (const chunk of content as AsyncIterable<Uint8Array>) size += chunk.length;
      return fileStat({ size });
    },
  };
  const api = scriptedApi({ devcontainer: () => scriptedRuntime({ files }) });
  const clock = createFakeClock();
  const app = createApp(api, { clock });
  const server = app.createServer({ trust: 'socket' });
  server.headersTimeout = 200;
  server.requestTimeout = 200;
  const port = await listen(server);
  const socket = connectSocket({ port, host: '127.0.0.1', ...options });
  onTestFinished(() => void socket.destroy());
  socket.on('error', () => {});
  let text = '';
  socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
  return { socket, closed: once(socket, 'close'), text: () => text, size: () => size, server, clock };
}

const head = (method: string, path: string, type: string, length: number): string =>
  `${method} ${BASE}${path} HTTP/1.1\r\nHost: x\r\nContent-Type: ${type}\r\nContent-Length: ${length}\r\n\r\n`;

test('a file may take longer to come than other requests', async () => {
  const { socket, text, size, server } = await open();
  let timeouts = 0;
  server.on('clientError', () => timeouts++);
  socket.write(head('PUT', '/content?path=a', 'application/octet-stream', 6));
  socket.write('abc');
  await expect.poll(size).toBe(3);
  await expect.poll(() => timeouts, { timeout: 20_000 }).toBe(1);
  socket.write('def');
  await expect.poll(text).toMatch(/^HTTP\/1\.1 200 /);
  expect(size()).toBe(6);
});

test.each([
  ['a JSON body that comes too slowly', head('POST', '/mkdir', 'application/json', 10), /^HTTP\/1\.1 408 /],
  ['a head that comes too slowly', 'GET / HTTP/1.1\r\nHost: x\r\n', /^HTTP\/1\.1 408 /],
  ['what is no HTTP', '\u0000\r\n\r\n', /^HTTP\/1\.1 400 /],
  ['a head that is too long', `GET / HTTP/1.1\r\nX: ${'x'.repeat(100_000)}\r\n\r\n`, /^HTTP\/1\.1 431 /],
  // More than is read at once: what nobody reads takes the answer away from the client.
  ['a head of many pieces', `GET / HTTP/1.1\r\nX: ${'x'.repeat(5_000_000)}\r\n\r\n`, /^HTTP\/1\.1 431 /],
  ['a long request that is no HTTP', `\u0000\r\n\r\n${'x'.repeat(5_000_000)}`, /^HTTP\/1\.1 400 /],
])('%s is answered, and the connection closed', async (_name, bytes, expected) => {
  const { socket, closed, text } = await open();
  socket.write(bytes);
  await closed;
  expect(text()).toMatch(expected);
});

test('a client that goes on sending after it was refused is cut off after a moment', async () => {
  const { socket, text, clock, server } = await open({ allowHalfOpen: true });
  const connections = promisify(server.getConnections.bind(server));
  socket.write('\u0000\r\n\r\n');
  await once(socket, 'end');
  socket.write('\u0000\r\n\r\n');
  await clock.advance(LIMITS.closeGraceMs - 1);
  expect(await connections()).toBe(1);
  await clock.advance(1);
  await expect.poll(connections).toBe(0);
  expect(text()).toBe('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n');
});

test('a connection over which a file came has the bounds of others again', async () => {
  const { socket, closed, text } = await open();
  socket.write(`${head('PUT', '/content?path=a', 'application/octet-stream', 3)}abc`);
  await expect.poll(text).toMatch(/^HTTP\/1\.1 200 /);
  socket.write(head('POST', '/mkdir', 'application/json', 10));
  await closed;
  expect(text()).toMatch(/HTTP\/1\.1 408 /);
});
