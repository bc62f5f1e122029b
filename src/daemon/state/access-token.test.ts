import { chmod, mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { loadAccessToken } from './access-token.ts';

let directory: string;
let file: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'ac-token-'));
  file = join(directory, 'token');
});
afterEach(() => rm(directory, { recursive: true }));

test('a token has 256 bits, is kept, and only the owner may read it', async () => {
  const token = await loadAccessToken(file);
  expect(Buffer.from(token, 'base64url')).toHaveLength(32);
  expect(await loadAccessToken(file)).toBe(token);
  expect((await stat(file)).mode & 0o777).toBe(0o600);
});

test('a token that others could have read is replaced', async () => {
  const token = await loadAccessToken(file);
  await chmod(file, 0o644);
  expect(await loadAccessToken(file)).not.toBe(token);
  expect((await stat(file)).mode & 0o777).toBe(0o600);
});

test('a token that cannot be read or written says why and what to do', async () => {
  await mkdir(file);
  const error = { code: 'state-unreadable', message: expect.stringMatching(/token failed: .*--state-dir/) };
  await expect(loadAccessToken(file)).rejects.toMatchObject(error);
  await expect(loadAccessToken(join(directory, 'gone', 'token'))).rejects.toMatchObject(error);
});

test('a damaged token is replaced', async () => {
  await writeFile(file, 'short\n', { mode: 0o600 });
  expect(await loadAccessToken(file)).toHaveLength(43);
});
