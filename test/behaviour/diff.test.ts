import { expect, test } from 'vitest';
import { APP, beginWithApp } from './support/story.ts';

test('a diff shows what the container was made from and what is there now, without secrets', async () => {
  const { world, api, id, end } = await beginWithApp();
  world.configFiles.write('/src/app', APP.configPath, { image: 'one', remoteEnv: { API_TOKEN: 's3cret', MODE: 'a' } });
  await api.recreate(id);
  await world.clock.settle();
  expect(await api.diff(id)).toEqual([]);
  world.configFiles.write('/src/app', APP.configPath, { image: 'two', remoteEnv: { API_TOKEN: 'an0ther', MODE: 'b' } });
  await world.clock.settle();
  const differences = await api.diff(id);
  expect(differences.find(({ input }) => input === 'image')).toEqual({
    input: 'image',
    class: 'recreate',
    before: '"one"',
    after: '"two"',
  });
  const env = differences.find(({ input }) => input === 'remoteEnv');
  expect(env?.before).toContain('"MODE": "a"');
  expect(env?.after).toContain('"MODE": "b"');
  expect(JSON.stringify(differences)).not.toMatch(/s3cret|an0ther/);
  await end();
});

test('what the container was made from need not be known', async () => {
  const { world, api, only, id, end } = await beginWithApp();
  world.configFiles.write('/src/app', APP.configPath, { image: 'other' });
  await world.clock.settle();
  expect(await only()).toMatchObject({ dirty: true });
  expect(await api.diff(id)).toMatchObject([{ input: 'image', after: '"other"' }]);
  await expect(api.diff('nobody')).rejects.toMatchObject({ code: 'devcontainer-not-found' });
  await end();
});

test('a property may be called like one that every object has', async () => {
  const { world, api, id, end } = await beginWithApp();
  world.configFiles.write('/src/app', APP.configPath, { image: 'one', toString: 'a' });
  await api.recreate(id);
  await world.clock.settle();
  world.configFiles.write('/src/app', APP.configPath, { image: 'one', constructor: 'b', valueOf: { a: 1 } });
  await world.clock.settle();
  expect(await api.diff(id)).toEqual([
    { input: 'constructor', class: 'recreate', before: undefined, after: '"b"' },
    { input: 'toString', class: 'recreate', before: '"a"', after: undefined },
    { input: 'valueOf', class: 'recreate', before: undefined, after: expect.stringContaining('"a": 1') },
  ]);
  await end();
});
