import { mkdtemp, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, it } from 'vitest';

import { readDevcontainerJson } from './devcontainer-json.ts';

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'devcontainer-json-'));
  path = join(folder, 'devcontainer.json');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

it('reads comments and trailing commas, and says when it was written', async () => {
  await writeFile(path, '// a\n{ "image": "x", }');
  await utimes(path, 1_000, 1_000);
  expect(await readDevcontainerJson(path)).toEqual({ kind: 'valid', config: { image: 'x' }, modifiedAt: 1_000_000 });
});

it.each([
  ['{ "image": "x', 'unexpected end of string'],
  ['[]', 'must be an object'],
  [Buffer.from([0x7b, 0xff, 0x7d]), 'not valid UTF-8'],
  ['x'.repeat(1024 * 1024 + 1), 'larger than 1 MiB'],
])('refuses %.20s', async (content, message) => {
  await writeFile(path, content);
  expect(await readDevcontainerJson(path)).toMatchObject({ kind: 'invalid', error: { message } });
});

it('tells a file that is not there from one that is none', async () => {
  expect(await readDevcontainerJson(path)).toEqual({ kind: 'missing' });
  expect(await readDevcontainerJson(join(path, 'x'))).toEqual({ kind: 'missing' });
  await symlink('/dev/zero', path);
  expect(await readDevcontainerJson(path)).toMatchObject({ kind: 'invalid', error: { message: 'not a regular file' } });
});
