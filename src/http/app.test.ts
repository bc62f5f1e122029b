import { once } from 'node:events';
import { request } from 'node:http';
import { expect, onTestFinished, test } from 'vitest';
import type { ListResult } from '../agentcontainers/api.ts';
import { createDeferred } from '../async/deferred.ts';
import { AgentContainersError } from '../errors.ts';
import { createFakeClock } from '../testing/fake-clock.ts';
import type { AppOptions, ContainersApp } from './app.ts';
import { createApp } from './app.ts';
import { devcontainer, listOf, listSource, scriptedApi } from './test-api.ts';
import { ask, connect, listen } from './test-server.ts';

const TOKEN = 'a'.repeat(43);
const AUTH = { authorization: `Bearer ${TOKEN}` };
const HTML = { accept: 'text/html' };

type Headers = Record<string, string>;

async function serve(list: ListResult = listOf('web'), options: AppOptions = {}) {
  const clock = createFakeClock();
  const app = createApp(scriptedApi(listSource(list)), { clock, token: TOKEN, ...options });
  const server = app.createServer({ trust: 'token' });
  const port = await listen(server);
  onTestFinished(() => app.close());
  return { app, clock, port, server };
}

/** A link as the daemon makes it, in parts: what a browser sends when it is opened. */
function linkOf(app: ContainersApp, port: number) {
  const link = new URL(app.createLoginLink(`http://127.0.0.1:${port}`) ?? 'none:');
  return { host: link.host, path: `${link.pathname}${link.search}` };
}

async function login(port: number, { path, host }: { path: string; host: string }, headers: Headers = {}) {
  const answer = await ask(port, { path, headers: { host, ...headers } });
  return { answer, cookie: answer.headers['set-cookie']?.[0]?.split(';', 1)[0] ?? '' };
}

test('the alias answers like the path it stands for', async () => {
  const { port } = await serve();
  const long = await ask(port, { path: '/api/v0/containers/devcontainers', headers: AUTH });
  for (const path of ['/devcontainers', '/devcontainers/']) {
    expect(await ask(port, { path, headers: AUTH })).toMatchObject({ status: 200, text: long.text });
  }
});

test('a login link works once, and its cookie opens the API and the WebSocket', async () => {
  const { app, port } = await serve();
  const link = linkOf(app, port);
  const { host } = link;
  const { answer, cookie } = await login(port, link);
  expect(answer).toMatchObject({ status: 303, headers: { location: '/' } });
  expect(answer.headers['set-cookie']?.[0]).toMatch(
    new RegExp(`^agentcontainers_session_${port}=[\\w-]{43}; Path=/; HttpOnly; SameSite=Strict$`),
  );
  expect((await ask(port, { path: '/devcontainers', headers: { host, cookie: `other=1; ${cookie}` } })).status).toBe(
    200,
  );
  const socket = await connect(`ws://127.0.0.1:${port}/api/v0/containers/watch`, { host, cookie });
  expect(await socket.frame(0)).toMatchObject({ devcontainers: [{ name: 'web' }] });

  const again = await login(port, link);
  expect(again).toMatchObject({ cookie: '', answer: { status: 401, json: { message: 'Invalid or used login code' } } });
});

test('two daemons on one machine do not take the session of the other away', async () => {
  const [one, two] = [await serve(), await serve()];
  const [firstLink, secondLink] = [linkOf(one.app, one.port), linkOf(two.app, two.port)];
  const first = await login(one.port, firstLink);
  const second = await login(two.port, secondLink);
  // A browser knows hosts, not ports: under a remote name of both it keeps both cookies, and sends both to each.
  expect(first.cookie.split('=')[0]).not.toBe(second.cookie.split('=')[0]);
  const cookie = `${second.cookie}; ${first.cookie}`;
  for (const [port, { host }] of [
    [one.port, firstLink],
    [two.port, secondLink],
  ] as const) {
    expect((await ask(port, { path: '/devcontainers', headers: { host, cookie } })).status).toBe(200);
  }
  const others = { host: firstLink.host, cookie: second.cookie };
  expect((await ask(one.port, { path: '/devcontainers', headers: others })).status).toBe(401);
});

test('codes and sessions end on the clock', async () => {
  const { app, port, clock } = await serve(undefined, { loginCodeTtlMs: 1000, sessionTtlMs: 5000 });
  const late = linkOf(app, port);
  const inTime = linkOf(app, port);
  const { host } = late;
  await clock.run(999);
  const { cookie } = await login(port, inTime);
  await clock.run(1);
  expect((await login(port, late)).answer.status).toBe(401);
  const status = async () => (await ask(port, { path: '/devcontainers', headers: { host, cookie } })).status;
  await clock.run(4000);
  expect(await status()).toBe(200);
  // Each use makes it live on.
  await clock.run(4000);
  expect(await status()).toBe(200);
  await clock.run(5000);
  expect(await status()).toBe(401);
});

test('loading ahead and HEAD do not use a code up', async () => {
  const { app, port } = await serve();
  const link = linkOf(app, port);
  const { path } = link;
  for (const headers of [{ 'sec-purpose': 'prefetch;prerender' }, { purpose: 'prefetch' }]) {
    expect((await login(port, link, headers as unknown as Headers)).answer.status).toBe(401);
  }
  expect((await ask(port, { path, method: 'HEAD' })).status).toBe(405);
  expect((await ask(port, { path, method: 'POST' })).status).toBe(405);
  expect((await login(port, link)).answer.status).toBe(303);
});

test('a link that stands in a foreign page logs in by a page of ours, since a redirect would not carry the cookie', async () => {
  const { app, port } = await serve();
  const headers = { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' };
  const link = linkOf(app, port);
  const { answer, cookie } = await login(port, link, headers);
  expect(answer.status).toBe(200);
  expect(answer.text).toContain('<meta http-equiv="refresh" content="0; url=/">');
  expect((await ask(port, { headers: { ...HTML, host: link.host, cookie } })).status).toBe(200);
});

test('the start page lists the devcontainers and escapes what comes from containers', async () => {
  const evil = '<script>alert(1)</script>"\'&';
  const { port } = await serve({
    devcontainers: [
      devcontainer({
        name: evil,
        workspaceFolder: `/src/${evil}`,
        dirty: true,
        error: evil,
        agent: { id: null, name: evil, directory: '/', status: 'running' },
      }),
    ],
    containers: [],
    warnings: [evil],
  });
  const answer = await ask(port, { headers: { ...HTML, ...AUTH } });
  expect(answer.status).toBe(200);
  expect(answer.headers['content-type']).toBe('text/html; charset=utf-8');
  expect(answer.text).not.toContain('<script');
  expect(answer.text.split('&#60;script&#62;alert(1)&#60;/script&#62;&#34;&#39;&#38;')).toHaveLength(6);
  expect(answer.text).toContain('running, configuration changed');
  const csp = answer.headers['content-security-policy'];
  expect(csp).toContain("default-src 'none'");
  expect(csp).not.toContain('script-src');
  expect(csp).not.toContain('unsafe');
  expect(answer.headers['x-frame-options']).toBe('SAMEORIGIN');
  expect(answer.headers['x-powered-by']).toBeUndefined();
});

test('who is not logged in sees a page that says what to do, a program sees JSON', async () => {
  const { port } = await serve();
  const page = await ask(port, { headers: HTML });
  expect(page.status).toBe(401);
  expect(page.text).toContain('open the link that the daemon prints');
  expect(await ask(port, {})).toMatchObject({ status: 401, json: { message: 'Missing or invalid token' } });
});

test('the start page says why there is no list', async () => {
  const clock = createFakeClock();
  const list = () => Promise.reject(new AgentContainersError('list-failed', 'Listing containers failed: <no engine>.'));
  const app = createApp(scriptedApi({ list }), { clock, token: TOKEN });
  const port = await listen(app.createServer({ trust: 'token' }));
  const page = await ask(port, { headers: { ...HTML, ...AUTH } });
  expect(page.status).toBe(500);
  expect(page.text).toContain('Listing containers failed: &#60;no engine&#62;.');
});

test('answers are not stored and tell no browser to share them', async () => {
  const { port } = await serve();
  const answer = await ask(port, { path: '/devcontainers', headers: AUTH });
  expect(answer.headers).toMatchObject({
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    'cross-origin-resource-policy': 'same-origin',
  });
  expect(answer.headers.etag).toBeUndefined();
  expect(answer.headers['strict-transport-security']).toBeUndefined();
});

test('close ends WebSockets and servers, also those with idle connections', async () => {
  const { app, port, server } = await serve();
  const socket = await connect(`ws://127.0.0.1:${port}/api/v0/containers/watch`, AUTH);
  await socket.frame(0);
  await fetch(`http://127.0.0.1:${port}/devcontainers`, { headers: AUTH }).then((response) => response.text());
  await app.close();
  await app.close();
  expect((await socket.closed).code).toBe(1001);
  expect(server.listening).toBe(false);
  await expect(ask(port, { headers: AUTH })).rejects.toThrow('ECONNREFUSED');
});

test('a request that does not end is cut two seconds after close', async () => {
  const clock = createFakeClock();
  const asked = createDeferred<void>();
  const list = () => {
    asked.resolve();
    return new Promise<never>(() => {});
  };
  const app = createApp(scriptedApi({ list }), { clock, token: TOKEN });
  const port = await listen(app.createServer({ trust: 'token' }));
  const req = request({ port, host: '127.0.0.1', path: '/devcontainers', headers: AUTH });
  const gone = once(req, 'error');
  req.end();
  await asked.promise;
  const closing = app.close();
  await clock.run(2000);
  await closing;
  expect(String((await gone)[0])).toMatch(/hang up|ECONNRESET/);
  expect(clock.pending()).toEqual([]);
});

test('a server that asks for tokens cannot be made without one, nor with a short one', () => {
  const clock = createFakeClock();
  expect(() => createApp(scriptedApi(), { clock }).createServer({ trust: 'token' })).toThrow('needs a token');
  expect(() => createApp(scriptedApi(), { clock, token: 'short' })).toThrow('fewer than 32 characters');
});
