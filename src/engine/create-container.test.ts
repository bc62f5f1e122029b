import { beforeEach, describe, expect, test } from 'vitest';
import { engineUnderTest, within } from '../../test/engine/engine-under-test.ts';
import { json } from '../../test/engine/fake-engine-server.ts';
import { writeBlueprint } from './blueprint.ts';

const current = engineUnderTest();
const IMAGE = `sha256:${'f'.repeat(64)}`;
const BLUEPRINT = writeBlueprint({
  name: 'app_1',
  labels: { a: '1' },
  config: { Cmd: ['sleep'] },
  hostConfig: { NetworkMode: 'one' },
  networks: { one: { Aliases: ['x'] }, two: { IPAMConfig: { IPv4Address: '10.1.1.9' } }, three: {} },
});

const create = (blueprint = BLUEPRINT) => current().engine.createContainer(blueprint, IMAGE, within());
const found = (more: Record<string, unknown> = {}) => ({
  Id: 'old',
  Name: '/app_1',
  Image: IMAGE,
  State: { Status: 'created' },
  Config: { Labels: { a: '1', more: '2' } },
  NetworkSettings: { Networks: { one: {} } },
  ...more,
});
const done = (response: { writeHead(status: number): { end(): void } }): void => response.writeHead(200).end();
const requests = () =>
  current()
    .asked()
    .filter((route) => route !== 'GET /_ping');

describe('making a container from a blueprint', () => {
  beforeEach(() => {
    current().server.on('POST /containers/create', json({ Id: 'new' }, 201));
    current().server.on('GET /containers/new/json', json({ ...found(), Id: 'new' }));
    current().server.on('POST /networks/two/connect', done);
    current().server.on('POST /networks/three/connect', done);
  });

  test('gives its name, and joins the networks that the create call cannot', async () => {
    expect(await create()).toBe('new');
    const [created, , two] = current().server.requests.filter(({ path }) => path !== '/_ping');
    expect(created?.query.get('name')).toBe('app_1');
    expect(JSON.parse(String(created?.body))).toEqual({
      Image: IMAGE,
      Labels: { a: '1' },
      Cmd: ['sleep'],
      HostConfig: { NetworkMode: 'one' },
      NetworkingConfig: { EndpointsConfig: { one: { Aliases: ['x'] } } },
    });
    expect(two?.path).toBe('/networks/two/connect');
    expect(JSON.parse(String(two?.body))).toEqual({
      Container: 'new',
      EndpointConfig: { IPAMConfig: { IPv4Address: '10.1.1.9' } },
    });
    expect(requests()).toHaveLength(4);
  });

  test.each([409, 500])('takes over what an earlier call made whose answer was lost (%i)', async (status) => {
    current().server.on('POST /containers/create', json({ message: 'the name is already in use' }, status));
    const Networks = { one: {}, two: {} };
    current().server.on('GET /containers/app_1/json', json(found({ NetworkSettings: { Networks } })));
    current().server.on('GET /containers/old/json', json(found({ NetworkSettings: { Networks } })));
    expect(await create()).toBe('old');
    expect(requests()).toContain('POST /networks/three/connect');
    expect(requests()).not.toContain('POST /networks/two/connect');
  });

  test('does so by itself when the connection breaks inside the answer', async () => {
    let tries = 0;
    current().server.on('POST /containers/create', (response, request) => {
      if (++tries === 1) return void response.destroy();
      json({ message: 'Conflict. The container name "/app_1" is already in use' }, 409)(response, request);
    });
    current().server.on('GET /containers/app_1/json', json(found({ Id: 'new' })));
    expect(await create()).toBe('new');
    expect(tries).toBe(2);
  });

  test.each([
    ['another image', { Image: 'sha256:0' }],
    ['another label', { Config: { Labels: { a: '2' } } }],
    ['a run behind it', { State: { Status: 'exited' } }],
    ['another name, whose beginning of the id it is', { Name: '/else' }],
  ])('a container of the name with %s is a conflict, and is left alone', async (_what, more) => {
    for (const status of [409, 500]) {
      const message = 'the container name "app_1" is already in use by 123';
      current().server.on('POST /containers/create', json({ message }, status));
      current().server.on('GET /containers/app_1/json', json(found(more)));
      await expect(create()).rejects.toMatchObject({
        code: 'engine-conflict',
        message: expect.stringContaining(message),
      });
    }
    expect(requests().filter((route) => !/create|app_1\/json/.test(route))).toEqual([]);
  });

  test('without one of its networks it is not left behind', async () => {
    current().server.on('POST /networks/three/connect', json({ message: 'network three not found' }, 404));
    current().server.on('DELETE /containers/new', done);
    await expect(create()).rejects.toMatchObject({ code: 'engine-object-not-found' });
    expect(requests().at(-1)).toBe('DELETE /containers/new');
    expect(Object.fromEntries(current().server.requests.at(-1)?.query ?? [])).toEqual({ v: 'false', force: 'true' });
  });

  test('an image that is gone, and a blueprint that is none, are told', async () => {
    current().server.on('POST /containers/create', json({ message: 'No such image' }, 404));
    await expect(create()).rejects.toMatchObject({ code: 'engine-object-not-found' });
    await expect(create('{}')).rejects.toMatchObject({ code: 'state-unreadable' });
  });
});
