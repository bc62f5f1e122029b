import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect, it } from 'vitest';

import { pruneUserData, userDataFolder } from './user-data-folder.ts';

it('is another one for each configuration, and the same one each time', () => {
  const key = { workspaceFolder: '/w', configPath: '/w/a' };
  expect(userDataFolder('/state', key)).toMatch(/^\/state\/devcontainer-cli\/[0-9a-f]{16}$/);
  expect(userDataFolder('/state', { ...key })).toBe(userDataFolder('/state', key));
  expect(userDataFolder('/state', { ...key, configPath: '/w/b' })).not.toBe(userDataFolder('/state', key));
});

it('does not grow', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'user-data-'));
  try {
    await pruneUserData(folder);
    await mkdir(join(folder, 'docker-compose'));
    for (let n = 1; n <= 14; n++) {
      const file = join(folder, 'docker-compose', `${n}.yml`);
      await writeFile(file, '');
      await utimes(file, n, n);
    }
    await pruneUserData(folder);
    const left = await readdir(join(folder, 'docker-compose'));
    expect(left.sort((a, b) => parseInt(a) - parseInt(b))).toEqual(
      Array.from({ length: 10 }, (_, n) => `${n + 5}.yml`),
    );
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
