import { describe, expect, test } from 'vitest';
import { engineUnderTest, within } from '../../test/engine/engine-under-test.ts';
import { json } from '../../test/engine/fake-engine-server.ts';

const current = engineUnderTest();
const rename = (name = 'app') => current().engine.renameContainer('c1', name, within());

describe('renaming a container', () => {
  test('asks for the name', async () => {
    current().server.on('POST /containers/c1/rename', (response) => void response.writeHead(204).end());
    await rename();
    expect(current().server.requests.at(-1)?.query.get('name')).toBe('app');
  });

  test.each([400, 409, 500])('to the name that it has is success (status %i)', async (status) => {
    current().server.on('POST /containers/c1/rename', json({ message: 'same name' }, status));
    current().server.on('GET /containers/c1/json', json({ Id: 'c1', Name: '/app' }));
    await rename();
  });

  test('to the name of another one is a conflict', async () => {
    current().server.on('POST /containers/c1/rename', json({ message: 'name is already in use' }, 409));
    current().server.on('GET /containers/c1/json', json({ Id: 'c1', Name: '/old' }));
    await expect(rename()).rejects.toMatchObject({ code: 'engine-conflict' });
  });

  test('of one that is gone, or to what is no name, is refused', async () => {
    current().server.on('POST /containers/c1/rename', json({ message: 'no such container' }, 404));
    await expect(rename()).rejects.toMatchObject({ code: 'engine-object-not-found' });
    for (const name of ['', '/x', 'a b', '-a', 'x'.repeat(300)]) {
      await expect(rename(name)).rejects.toMatchObject({ code: 'engine-request-failed' });
    }
    expect(
      current()
        .asked()
        .filter((route) => route.includes('rename')),
    ).toHaveLength(1);
  });
});
