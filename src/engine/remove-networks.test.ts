import { expect, test } from 'vitest';
import { engineUnderTest, within } from '../../test/engine/engine-under-test.ts';
import { json } from '../../test/engine/fake-engine-server.ts';

const current = engineUnderTest();

const deleted = (): string[] =>
  current()
    .asked()
    .filter((route) => route.startsWith('DELETE'));

const networks = (...names: string[]): ReturnType<typeof json> =>
  json(names.map((Name, at) => ({ Id: `id${at}`, Name, Labels: { a: 'b' } })));

test('networks are removed by name, since by id an engine may remove one that is in use, and those in use stay', async () => {
  current().server.on('GET /networks', networks('used', 'podman', 'free'));
  current().server.on('DELETE /networks/used', json({ message: 'has active endpoints' }, 403));
  const inUse = {
    cause: 'network is being used',
    message: '"podman" has associated containers with it',
    response: 500,
  };
  current().server.on('DELETE /networks/podman', json(inUse, 500));
  current().server.on('DELETE /networks/free', (response) => void response.writeHead(204).end());
  await current().engine.removeNetworks({ labels: ['a=b'], signal: within() });
  expect(deleted()).toEqual(['DELETE /networks/used', 'DELETE /networks/podman', 'DELETE /networks/free']);
});

test('where several have one name the id decides, and another fault is an error', async () => {
  current().server.on('GET /networks', networks('two', 'two'));
  current().server.on('DELETE /networks/two', json({ message: 'network two is ambiguous (2 matches found)' }, 400));
  current().server.on('DELETE /networks/id0', (response) => void response.writeHead(204).end());
  current().server.on('DELETE /networks/id1', json({ message: 'broken' }, 500));
  const removal = current().engine.removeNetworks({ labels: ['a=b'], signal: within() });
  await expect(removal).rejects.toMatchObject({ code: 'engine-request-failed' });
  expect(deleted()).toEqual([
    'DELETE /networks/two',
    'DELETE /networks/id0',
    'DELETE /networks/two',
    'DELETE /networks/id1',
  ]);
});
