import { describe, expect, test } from 'vitest';
import { engineUnderTest, within } from '../../test/engine/engine-under-test.ts';
import { json } from '../../test/engine/fake-engine-server.ts';

const current = engineUnderTest();
const HEX = 'f'.repeat(64);
const ID = `sha256:${HEX}`;

describe('inspecting an image', () => {
  const inspect = (image = 'reg.example:5000/a/b:1') => current().engine.inspectImage(image, within());

  test('tells its full id, labels and platform with its variant', async () => {
    const image = { Id: HEX, Os: 'linux', Architecture: 'arm', Variant: 'v7', Config: { Labels: { a: '1', b: 2 } } };
    current().server.on('GET /images/reg.example:5000/a/b:1/json', json(image));
    const platform = { operatingSystem: 'linux', architecture: 'arm', variant: 'v7' };
    expect(await inspect()).toEqual({ id: ID, labels: { a: '1' }, platform });
    current().server.on('GET /images/x/json', json({ Id: ID, Os: 'linux', Architecture: 'amd64', Config: null }));
    expect(await inspect('x')).toEqual({
      id: ID,
      labels: {},
      platform: { operatingSystem: 'linux', architecture: 'amd64' },
    });
  });

  test('one that is missing, or has a name that none can have, is undefined', async () => {
    current().server.on('GET /images/x/json', json({ message: 'no such image' }, 404));
    expect(await inspect('x')).toBeUndefined();
    expect(await inspect('a/../b')).toBeUndefined();
    expect(await inspect('')).toBeUndefined();
  });

  test('another failure is one', async () => {
    current().server.on('GET /images/x/json', json({ message: 'disk full' }, 500));
    await expect(inspect('x')).rejects.toMatchObject({ code: 'engine-request-failed' });
    current().server.on('GET /images/x/json', json([]));
    await expect(inspect('x')).rejects.toMatchObject({ code: 'engine-request-failed' });
  });
});
