import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { engineClient } from './engine-client.ts';

let base: string;
beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), 'engine-client-'));
  for (const name of ['docker', 'podman', 'neither']) await mkdir(join(base, name));
  await writeFile(join(base, 'docker/docker'), '', { mode: 0o755 });
  await writeFile(join(base, 'podman/podman'), '', { mode: 0o755 });
  // Neither of them can be run.
  await mkdir(join(base, 'neither/docker'));
  await writeFile(join(base, 'neither/podman'), '', { mode: 0o644 });
});
afterAll(() => rm(base, { recursive: true }));

it.each([
  ['docker alone', ['docker'], undefined],
  ['both', ['podman', 'docker'], undefined],
  ['podman alone', ['neither', 'podman', 'nowhere'], 'podman'],
  ['what cannot be run', ['neither'], undefined],
  ['nothing', [], undefined],
])('with %s on PATH', (_what, directories, client) => {
  expect(engineClient(directories.map((name) => join(base, name)).join(':'))).toBe(client);
});

it('without a PATH, or with a relative one, nothing is looked for', () => {
  expect(engineClient(undefined)).toBeUndefined();
  expect(engineClient('podman')).toBeUndefined();
});
