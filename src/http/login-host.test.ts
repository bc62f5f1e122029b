import { expect, onTestFinished, test } from 'vitest';
import { createFakeClock } from '../testing/fake-clock.ts';
import type { AppOptions, ContainersApp } from './app.ts';
import { createApp } from './app.ts';
import { listOf, listSource, scriptedApi } from './test-api.ts';
import { ask, connect, listen } from './test-server.ts';

// A browser sends a cookie to every port of the host that set it, so also to what a container serves behind a forward.

const TOKEN = 'a'.repeat(43);
const AUTH = { authorization: `Bearer ${TOKEN}` };
const WATCH = '/api/v0/containers/watch';

async function serve(options: AppOptions = {}) {
  const app = createApp(scriptedApi(listSource(listOf('web'))), { clock: createFakeClock(), token: TOKEN, ...options });
  const port = await listen(app.createServer({ trust: 'token' }));
  onTestFinished(() => app.close());
  return { app, port };
}

function linkTo(app: ContainersApp, url: string): URL {
  return new URL(app.createLoginLink(url) ?? 'none:');
}

async function login(port: number, link: URL, host: string = link.host) {
  const answer = await ask(port, { path: `${link.pathname}${link.search}`, headers: { host } });
  return { status: answer.status, json: answer.json, cookie: answer.headers['set-cookie']?.[0]?.split(';', 1)[0] };
}

async function statusOf(port: number, headers: Record<string, string>): Promise<number> {
  return (await ask(port, { path: '/devcontainers', headers })).status;
}

test('the link is under a name that nobody can guess, the same for the life of the daemon', async () => {
  const { app, port } = await serve();
  const link = linkTo(app, `http://127.0.0.1:${port}`);
  expect(link.host).toMatch(new RegExp(`^ac-[0-9a-f]{32}\\.localhost:${port}$`));
  expect(linkTo(app, `http://localhost:${port}`).host).toBe(link.host);
  expect(linkTo(app, `http://[::1]:${port}`).host).toBe(link.host);
  const other = await serve();
  expect(linkTo(other.app, `http://127.0.0.1:${port}`).host).not.toBe(link.host);
});

test.each([
  ['the address', '127.0.0.1'],
  ['another loopback address', '127.0.0.2'],
  ['the address of version 6', '[::1]'],
  ['the plain name', 'localhost'],
  ['the plain name with a dot', 'LOCALHOST.'],
  ['another name under localhost', 'ac-00000000000000000000000000000000.localhost'],
  ['a name below the own one', 'x.OWN'],
])('under %s neither link nor cookie counts, for requests and for WebSockets', async (_what, name) => {
  const { app, port } = await serve();
  const link = linkTo(app, `http://127.0.0.1:${port}`);
  const host = `${name.replace('OWN', link.hostname)}:${port}`;
  expect(await login(port, link, host)).toMatchObject({
    status: 401,
    cookie: undefined,
    json: { message: 'Invalid or used login code', detail: expect.stringContaining('as it was printed') },
  });
  // The try did not use the link up.
  const { status, cookie = '' } = await login(port, link);
  expect(status).toBe(303);
  expect(await statusOf(port, { host, cookie })).toBe(401);
  const socket = connect(`ws://127.0.0.1:${port}${WATCH}`, { host, cookie });
  await expect(socket).rejects.toMatchObject({ status: 401 });
  // The token does, as ever.
  expect(await statusOf(port, { host, ...AUTH })).toBe(200);
  expect(await statusOf(port, { host: link.host, cookie })).toBe(200);
});

test('the cookie is for this one host, not for those below it or above it', async () => {
  const { app, port } = await serve();
  const link = linkTo(app, `http://127.0.0.1:${port}`);
  const answer = await ask(port, { path: `${link.pathname}${link.search}`, headers: { host: link.host } });
  expect(answer.headers['set-cookie']?.[0]).not.toMatch(/domain/i);
});

test('a tunnel may lead to the daemon from another port', async () => {
  const { app, port } = await serve();
  const link = linkTo(app, `http://127.0.0.1:${port}`);
  const { cookie = '' } = await login(port, link, `${link.hostname}:8000`);
  expect(await statusOf(port, { host: `${link.hostname}:8000`, cookie })).toBe(200);
});

test('under an allowed name of this machine link and cookie count as they are', async () => {
  const { app, port } = await serve({ allowedHosts: ['box.example'] });
  const link = linkTo(app, `https://box.example:${port}`);
  expect(link.origin).toBe(`https://box.example:${port}`);
  const { status, cookie = '' } = await login(port, link);
  expect(status).toBe(303);
  expect(await statusOf(port, { host: link.host, cookie })).toBe(200);
  expect(await statusOf(port, { host: `127.0.0.1:${port}`, cookie })).toBe(401);
});

test('to allow a loopback name makes no cookie count there', async () => {
  const { app, port } = await serve({ allowedHosts: ['localhost', '127.0.0.1'] });
  const link = linkTo(app, `http://localhost:${port}`);
  const { cookie = '' } = await login(port, link);
  for (const name of ['localhost', '127.0.0.1']) expect(await statusOf(port, { host: name, cookie })).toBe(401);
});

test.each(['box.example', 'http://not a host', ''])('there is no link for what is not served: %s', async (url) => {
  const { app } = await serve();
  expect(app.createLoginLink(url)).toBeUndefined();
  expect(app.createLoginLink(`https://${url}`)).toBeUndefined();
});

test('there is no link for a loopback address to which no name under localhost leads', async () => {
  const { app } = await serve();
  expect(app.createLoginLink('http://127.0.0.2:7420')).toBeUndefined();
});
