import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createFakeClock } from '../testing/fake-clock.ts';
import { discoverEngine } from './discover-engine.ts';

let root: string;
let servers: Server[];

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'discover-'));
  servers = [];
});

afterEach(async () => {
  for (const server of servers) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
  await rm(root, { recursive: true, force: true });
});

type Behaviour = 'engine' | 'web server' | 'silent';

async function listen(at: string | number, behaviour: Behaviour = 'engine'): Promise<Server> {
  if (typeof at === 'string') await mkdir(dirname(at), { recursive: true });
  const server = createServer((_request, response) => {
    if (behaviour === 'engine') response.writeHead(200, { 'Api-Version': '1.41' }).end('OK');
    if (behaviour === 'web server') response.writeHead(404).end('no');
  });
  servers.push(server);
  return new Promise((resolve) => server.listen(at, () => resolve(server)));
}

async function write(path: string, content: unknown): Promise<void> {
  await mkdir(dirname(join(root, path)), { recursive: true });
  await writeFile(join(root, path), typeof content === 'string' ? content : JSON.stringify(content));
}

function writeContext(name: string, Host: string): Promise<void> {
  const folder = createHash('sha256').update(name).digest('hex');
  return write(`home/.docker/contexts/meta/${folder}/meta.json`, { Name: name, Endpoints: { docker: { Host } } });
}

const at = (path: string): string => join(root, path);
const unix = (path: string): string => `unix://${at(path)}`;

function discover(options: Partial<Parameters<typeof discoverEngine>[0]> = {}, signal = AbortSignal.timeout(20_000)) {
  const env = { XDG_RUNTIME_DIR: at('xdg'), ...options.env };
  return discoverEngine({ homeDir: at('home'), uid: 1000, systemRoot: root, ...options, env }, signal);
}

const SOCKETS = [
  'xdg/docker.sock',
  'var/run/docker.sock',
  'home/.docker/run/docker.sock',
  'home/.docker/desktop/docker.sock',
  'home/.colima/default/docker.sock',
  'home/.config/colima/default/docker.sock',
  'home/.orbstack/run/docker.sock',
  'home/.rd/docker.sock',
  'xdg/podman/podman.sock',
  'run/podman/podman.sock',
];

describe('finding the engine', () => {
  test.each(SOCKETS.map((path, index) => ({ path, index })))(
    '$path is found after $index others',
    async ({ path, index }) => {
      await listen(at(path));
      const { chosen, tried } = await discover();
      expect(chosen?.address).toBe(unix(path));
      expect(tried.map(({ address, outcome }) => [address, outcome])).toEqual([
        ...SOCKETS.slice(0, index).map((earlier) => [unix(earlier), 'missing']),
        [unix(path), 'ok'],
      ]);
    },
  );

  test('without XDG_RUNTIME_DIR the runtime directory of the user is tried', async () => {
    await listen(at('run/user/1000/docker.sock'));
    const { chosen } = await discover({ env: { XDG_RUNTIME_DIR: undefined } });
    expect(chosen?.address).toBe(unix('run/user/1000/docker.sock'));
  });

  test('with no engine anywhere every place is named with its reason', async () => {
    const { chosen, tried } = await discover();
    expect(chosen).toBeUndefined();
    expect(tried).toHaveLength(SOCKETS.length);
    for (const { outcome, detail } of tried)
      expect([outcome, detail]).toEqual(['missing', expect.stringContaining('ENOENT')]);
  });

  test('an explicit address comes first, then an explicit context, then the environment, then the current context', async () => {
    for (const name of ['flag', 'given', 'host', 'envcontext', 'current']) await listen(at(`${name}.sock`));
    await listen(at('var/run/docker.sock'));
    for (const name of ['given', 'envcontext', 'current']) await writeContext(name, unix(`${name}.sock`));
    await write('home/.docker/config.json', { currentContext: 'current' });
    const env = { DOCKER_HOST: unix('host.sock'), DOCKER_CONTEXT: 'envcontext' };
    const options = { dockerHost: unix('flag.sock'), dockerContext: 'given', env };
    const found = async (changed: Parameters<typeof discover>[0]) =>
      (await discover({ ...options, ...changed })).chosen;

    expect(await found({})).toMatchObject({ address: unix('flag.sock'), source: '--docker-host' });
    expect(await found({ dockerHost: undefined })).toMatchObject({
      address: unix('given.sock'),
      source: 'docker context "given"',
    });
    const unset = { dockerHost: undefined, dockerContext: undefined };
    expect(await found(unset)).toMatchObject({ address: unix('host.sock'), source: 'DOCKER_HOST' });
    expect(await found({ ...unset, env: { DOCKER_CONTEXT: 'envcontext' } })).toMatchObject({
      address: unix('envcontext.sock'),
    });
    expect(await found({ ...unset, env: {} })).toMatchObject({ address: unix('current.sock') });
    expect(await found({ ...unset, env: { DOCKER_CONTEXT: 'default' } })).toMatchObject({
      address: unix('var/run/docker.sock'),
    });
    expect(await found({ ...unset, dockerContext: 'default', env: { DOCKER_HOST: unix('host.sock') } })).toMatchObject({
      address: unix('var/run/docker.sock'),
    });
  });

  test.each([
    { what: 'an explicit address', options: { dockerHost: 'unix:///no/such.sock' }, outcome: 'missing' },
    { what: 'an explicit context', options: { dockerContext: 'nope' }, outcome: 'unreadable-context' },
    { what: 'DOCKER_HOST', options: { env: { DOCKER_HOST: 'unix:///no/such.sock' } }, outcome: 'missing' },
    { what: 'DOCKER_CONTEXT', options: { env: { DOCKER_CONTEXT: '../../etc' } }, outcome: 'unreadable-context' },
    {
      what: 'an address of an unknown kind',
      options: { dockerHost: 'npipe:////./pipe/docker' },
      outcome: 'invalid-address',
    },
    { what: 'an ssh address', options: { dockerHost: 'ssh://me@there' }, outcome: 'invalid-address' },
    { what: 'a relative socket path', options: { dockerHost: 'unix://docker.sock' }, outcome: 'invalid-address' },
  ])('$what is binding: no other engine is taken in its place', async ({ options, outcome }) => {
    await listen(at('var/run/docker.sock'));
    const { chosen, tried } = await discover(options);
    expect(chosen).toBeUndefined();
    expect(tried.map((place) => place.outcome)).toEqual([outcome]);
  });

  test.each([
    ['points to a dead socket', 'gone', 'missing'],
    ['has no files', 'unknown', 'unreadable-context'],
    ['has a damaged file', 'damaged', 'unreadable-context'],
  ])('a current context that %s is passed over, and said so', async (_what, name, outcome) => {
    await listen(at('var/run/docker.sock'));
    await writeContext('gone', unix('gone.sock'));
    const damaged = createHash('sha256').update('damaged').digest('hex');
    await write(`home/.docker/contexts/meta/${damaged}/meta.json`, '{"Endpoints":');
    await write('home/.docker/config.json', { currentContext: name });
    const { chosen, tried } = await discover();
    expect(chosen?.address).toBe(unix('var/run/docker.sock'));
    expect(tried[0]).toMatchObject({ source: `docker context "${name}"`, outcome });
  });

  test.each(['{"currentContext":', '[]', '{"currentContext":7}'])(
    'a config.json of %j changes nothing',
    async (content) => {
      await write('home/.docker/config.json', content);
      await listen(at('var/run/docker.sock'));
      expect((await discover()).chosen?.address).toBe(unix('var/run/docker.sock'));
    },
  );

  test('DOCKER_CONFIG names the directory of the contexts', async () => {
    await listen(at('elsewhere.sock'));
    const folder = createHash('sha256').update('x').digest('hex');
    await write(`conf/contexts/meta/${folder}/meta.json`, { Endpoints: { docker: { Host: unix('elsewhere.sock') } } });
    const { chosen } = await discover({ dockerContext: 'x', env: { DOCKER_CONFIG: at('conf') } });
    expect(chosen?.address).toBe(unix('elsewhere.sock'));
  });

  test('a TCP address is asked too', async () => {
    const { port } = (await listen(0)).address() as AddressInfo;
    const { chosen } = await discover({ dockerHost: `tcp://127.0.0.1:${port}` });
    expect(chosen?.address).toBe(`tcp://127.0.0.1:${port}`);
    const tls = await discover({
      env: { DOCKER_HOST: `tcp://127.0.0.1:${port}`, DOCKER_TLS_VERIFY: '1', DOCKER_CERT_PATH: at('c') },
    });
    expect(tls.chosen).toBeUndefined();
  });

  test('what is there and is no engine is told apart', async () => {
    await listen(at('xdg/docker.sock'), 'web server');
    await write('var/run/docker.sock', 'a plain file');
    await listen(at('home/.rd/docker.sock'));
    const { chosen, tried } = await discover();
    expect(chosen?.address).toBe(unix('home/.rd/docker.sock'));
    expect(tried[0]).toMatchObject({ outcome: 'not-an-engine', detail: expect.stringContaining('404') });
    expect(tried[1]).toMatchObject({ outcome: 'refused' });
  });

  test('a place that accepts and never answers is given up after its limit', async () => {
    const clock = createFakeClock();
    await listen(at('xdg/docker.sock'), 'silent');
    await listen(at('var/run/docker.sock'));
    const found = discover({ clock });
    while (clock.next() === undefined) await new Promise((resolve) => setImmediate(resolve));
    await clock.advance(5_000);
    const { chosen, tried } = await found;
    expect(tried[0]).toMatchObject({ outcome: 'no-answer', detail: 'no answer within 5 s' });
    expect(chosen?.address).toBe(unix('var/run/docker.sock'));
    expect(clock.pending()).toEqual([]);
  });

  test('rejects with the reason of its signal', async () => {
    await listen(at('xdg/docker.sock'), 'silent');
    const reason = new Error('enough');
    await expect(discover({}, AbortSignal.abort(reason))).rejects.toBe(reason);
  });
});
