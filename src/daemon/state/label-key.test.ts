import { chmod, mkdir, mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Logger, silentLogger } from '../../logger.ts';
import { loadLabelKey } from './label-key.ts';

let directory: string;
let file: string;
let warnings: string[];
let logger: Logger;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'ac-label-key-'));
  file = join(directory, 'label-key');
  warnings = [];
  logger = { ...silentLogger, warn: (_fields, message) => warnings.push(message) };
});
afterEach(() => rm(directory, { recursive: true }));

const load = () => loadLabelKey(file, logger, () => Date.UTC(2024, 0, 2, 3, 4, 5));
const ASIDE = 'label-key.damaged-2024-01-02T03-04-05.000Z';

test('a daemon that is started twice has the same key, which only its owner may read', async () => {
  const key = await load();
  expect(key).toMatch(/^[0-9a-f]{64}$/);
  expect(await load()).toBe(key);
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect(warnings).toEqual([]);
  expect(await readdir(directory)).toEqual(['label-key']);
});

test('two state directories have different keys', async () => {
  expect(await load()).not.toBe(await loadLabelKey(join(directory, 'other'), logger));
});

test.each([
  ['cut off', (key: string) => key.slice(0, 63), 0o600, 'it is damaged'],
  ['empty', () => '', 0o600, 'it is damaged'],
  ['something else', () => 'z'.repeat(64), 0o600, 'it is damaged'],
  ['readable by others', (key: string) => key, 0o644, 'others could read it'],
])('one that is %s is set aside with a warning, and a new one is made', async (_, change, mode, reason) => {
  const key = await load();
  await writeFile(file, change(key));
  await chmod(file, mode);
  const next = await load();
  expect(next).toMatch(/^[0-9a-f]{64}$/);
  expect(next).not.toBe(key);
  expect(await load()).toBe(next);
  expect(await readFile(join(directory, ASIDE), 'utf8')).toBe(change(key));
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect(warnings).toHaveLength(1);
  expect(warnings[0]).toContain(`failed: ${reason}. It was set aside as ${join(directory, ASIDE)}`);
  expect(warnings[0]).not.toContain(key);
});

test('one that cannot be read stops the start', async () => {
  await mkdir(file);
  await expect(load()).rejects.toMatchObject({
    code: 'state-unreadable',
    message: expect.stringMatching(/^Preparing the key of labels .* failed: EISDIR/),
  });
});
