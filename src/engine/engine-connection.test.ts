import { describe, expect, test } from 'vitest';
import { engineUnderTest, until, within } from '../../test/engine/engine-under-test.ts';
import { json, startFakeEngineServer } from '../../test/engine/fake-engine-server.ts';

const current = engineUnderTest();

describe('connecting', () => {
  test.each([
    ['1.41', 'v1.41'],
    ['1.44', 'v1.44'],
    ['1.52', 'v1.52'],
    ['1.60', 'v1.52'],
  ])('an engine that speaks up to %s is spoken to in %s', async (newest, version) => {
    await using fake = await startFakeEngineServer(newest);
    fake.on('GET /version', json({ Version: '29.0.0', Os: 'linux', Arch: 'arm64', Components: [{ Name: 'Engine' }] }));
    const other = current().connect({ DOCKER_HOST: fake.host });
    expect(await other.info(within())).toEqual({
      name: 'docker',
      version: '29.0.0',
      apiVersion: version.slice(1),
      operatingSystem: 'linux',
      architecture: 'arm64',
    });
    expect(fake.requests.at(-1)?.version).toBe(version);
    await other.close();
  });

  test('Podman is called by its name', async () => {
    current().server.on(
      'GET /version',
      json({ Version: '4.3.1', Os: 'linux', Arch: 'amd64', Components: [{ Name: 'Podman Engine' }] }),
    );
    expect(await current().engine.info(within())).toMatchObject({ name: 'podman', apiVersion: '1.41' });
  });

  test('negotiates once for many calls, and tells the address in use', async () => {
    current().server.on('GET /containers/json', json([]));
    await current().list();
    const before = current().asked().length;
    await Promise.all([current().list(), current().list(), current().list()]);
    expect(current().asked().slice(before)).toEqual(Array(3).fill('GET /containers/json'));
    expect(await current().engine.address(within())).toBe(current().server.host);
  });

  test('an engine that is too old, or has dropped our newest version, is named with both versions', async () => {
    await using old = await startFakeEngineServer('1.39');
    const first = current().connect({ DOCKER_HOST: old.host });
    await expect(first.info(within())).rejects.toMatchObject({
      code: 'engine-api-version',
      message: expect.stringMatching(/1\.39.*1\.40/),
    });
    await first.close();

    const message = 'client version 1.52 is too old. Minimum supported API version is 1.55, please upgrade your client';
    current().server.on('GET /containers/json', json({ message }, 400));
    await expect(current().list()).rejects.toMatchObject({
      code: 'engine-api-version',
      message: expect.stringMatching(/1\.52.*1\.55/),
    });
  });

  test('an engine that was exchanged for one with another version is negotiated with anew', async () => {
    current().server.on('GET /containers/json', json([]));
    await current().list();
    const message = 'client version 1.41 is too old. Minimum supported API version is 1.44';
    current().server.on('GET /containers/json', (response, request) =>
      (request.version === 'v1.41' ? json({ message }, 400) : json([]))(response, request),
    );
    current().server.on('GET /_ping', (response) => void response.writeHead(200, { 'Api-Version': '1.52' }).end('OK'));
    await expect(current().list()).rejects.toMatchObject({ code: 'engine-api-version' });
    expect(await current().list()).toEqual([]);
  });

  test('an engine that is gone is unreachable with the next step, and found again when it is back', async () => {
    current().server.on('GET /containers/json', json([]));
    await current().list();
    await current().server.stop();
    await expect(current().list()).rejects.toMatchObject({
      code: 'engine-unreachable',
      message: expect.stringMatching(/^Listing containers failed: .*ENOENT.*`agentcontainers doctor`/),
    });
    await expect(current().list()).rejects.toMatchObject({ code: 'engine-unreachable' });
    await current().server.start();
    expect(await current().list()).toEqual([]);
  });

  test('while an engine that was found is down, no other one is taken for it', async () => {
    const found = current().connect({ DOCKER_HOST: current().server.host });
    current().server.on('GET /containers/json', json([]));
    await found.listContainers({ labels: [], signal: within() });
    await current().server.stop();
    const again = found.listContainers({ labels: [], signal: within() });
    await expect(again).rejects.toMatchObject({ code: 'engine-unreachable' });
    expect(await found.address(within()).catch((error: { message: string }) => error.message)).toContain(
      current().server.host,
    );
    await found.close();
  });

  test('without any engine the error says where it looked', async () => {
    const none = current().connect({ DOCKER_HOST: 'unix:///no/such.sock' });
    await expect(none.info(within())).rejects.toMatchObject({
      code: 'engine-unreachable',
      message: expect.stringMatching(
        /^Connecting to the container engine of DOCKER_HOST failed: unix:\/\/\/no\/such\.sock: .*doctor/,
      ),
    });
    await none.close();
  });

  test('closing while it connects ends the connecting', async () => {
    current().server.on('GET /_ping', () => {});
    const listing = current().list();
    await until(() => current().asked().includes('GET /_ping'));
    await current().engine.close();
    await expect(listing).rejects.toMatchObject({ code: 'cancelled' });
  });

  test('after close every call is cancelled', async () => {
    await current().engine.close();
    await current().engine.close();
    await expect(current().list()).rejects.toMatchObject({ code: 'cancelled' });
    await expect(current().engine.exec({ containerId: 'c1', argv: ['x'] })).rejects.toMatchObject({
      code: 'cancelled',
    });
  });
});
