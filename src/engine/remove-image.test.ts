import { describe, expect, test } from 'vitest';
import { engineUnderTest, within } from '../../test/engine/engine-under-test.ts';
import { json } from '../../test/engine/fake-engine-server.ts';

const current = engineUnderTest();
const HEX = 'f'.repeat(64);
const ID = `sha256:${HEX}`;

describe('removing an image', () => {
  const remove = () => current().engine.removeImage(ID, within());

  test.each([200, 404, 409])(
    'is done or in use (status %i), never with force and never its parents',
    async (status) => {
      current().server.on(`GET /images/${ID}/json`, json({ Id: ID, RepoTags: ['<none>:<none>'] }));
      current().server.on(`DELETE /images/${ID}`, json({ message: 'x' }, status));
      await remove();
      expect(Object.fromEntries(current().server.requests.at(-1)?.query ?? [])).toEqual({
        force: 'false',
        noprune: 'true',
      });
    },
  );

  test('leaves one that somebody has named, and takes one that is gone for removed', async () => {
    current().server.on(`GET /images/${ID}/json`, json({ Id: ID, RepoTags: ['mine:1'] }));
    await remove();
    current().server.on(`GET /images/${ID}/json`, json({ message: 'no such image' }, 404));
    await remove();
    expect(current().asked().join()).not.toContain('DELETE');
  });

  test('another failure is one', async () => {
    current().server.on(`GET /images/${ID}/json`, json({ Id: ID, RepoTags: null }));
    current().server.on(`DELETE /images/${ID}`, json({ message: 'disk full' }, 500));
    await expect(remove()).rejects.toMatchObject({ code: 'engine-request-failed' });
  });
});
