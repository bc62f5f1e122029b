import { chmod, mkdir, mkdtemp, readFile, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Logger, silentLogger } from '../../logger.ts';
import { createContentsFiles } from './contents-files.ts';

const ONE = '1'.repeat(64);
const TWO = '2'.repeat(64);

let parent: string;
let directory: string;
let warnings: string[];
let logger: Logger;

beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), 'ac-contents-'));
  directory = join(parent, 'contents');
  warnings = [];
  logger = { ...silentLogger, warn: (_fields, message) => warnings.push(message) };
});
afterEach(() => rm(parent, { recursive: true }));

const files = () => createContentsFiles(directory, logger);

test('what was saved is loaded again, also by another daemon, and only the owner may read it', async () => {
  await files().saveContents(ONE, { 'devcontainer.json': '{}', Dockerfile: 'FROM x\n' });
  expect(await files().loadContents(ONE)).toEqual({ 'devcontainer.json': '{}', Dockerfile: 'FROM x\n' });
  expect((await stat(directory)).mode & 0o777).toBe(0o700);
  expect((await stat(join(directory, `${ONE}.json`))).mode & 0o777).toBe(0o600);
  expect(warnings).toEqual([]);
});

test('what was not saved is unknown, and that is no warning', async () => {
  expect(await files().loadContents(ONE)).toBeUndefined();
  await files().keepContents(new Set());
  expect(warnings).toEqual([]);
});

test('the same fingerprint is written once', async () => {
  const one = files();
  await one.saveContents(ONE, { a: '1' });
  const { ino } = await stat(join(directory, `${ONE}.json`));
  await one.saveContents(ONE, { a: '1' });
  expect((await stat(join(directory, `${ONE}.json`))).ino).toBe(ino);
});

test('all others are dropped, with what a killed daemon had begun to write', async () => {
  const one = files();
  await one.saveContents(ONE, { a: '1' });
  await one.saveContents(TWO, { a: '2' });
  await writeFile(join(directory, `${ONE}.json.123456`), 'half');
  await mkdir(join(directory, 'not-ours'));
  await one.keepContents(new Set([TWO]));
  expect((await readdir(directory)).toSorted()).toEqual([`${TWO}.json`, 'not-ours']);
  expect(await one.loadContents(ONE)).toBeUndefined();
  // It can come again.
  await one.saveContents(ONE, { a: '3' });
  expect(await one.loadContents(ONE)).toEqual({ a: '3' });
});

test('saves and removals that overlap do not meet', async () => {
  const one = files();
  const names = Array.from({ length: 20 }, (_, index) => index.toString(16).padStart(64, '0'));
  await Promise.all(names.flatMap((name) => [one.saveContents(name, { name }), one.keepContents(new Set(names))]));
  expect((await readdir(directory)).toSorted()).toEqual(names.map((name) => `${name}.json`));
});

describe('what is damaged counts as unknown, is said, and can be saved anew', () => {
  test.each([
    ['not JSON', '{"a":'],
    ['empty', ''],
    ['of a wrong form', '{"a":1}'],
    ['too large', JSON.stringify({ a: 'x'.repeat(1_100_000) })],
  ])('%s', async (_name, text) => {
    const one = files();
    await one.saveContents(ONE, { a: '1' });
    await writeFile(join(directory, `${ONE}.json`), text);
    expect(await one.loadContents(ONE)).toBeUndefined();
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toMatch(/^Reading .* failed: .*\. What it held counts as unknown\.$/);
    await one.saveContents(ONE, { a: '1' });
    expect(await one.loadContents(ONE)).toEqual({ a: '1' });
  });

  test('a link in its place is replaced, not followed', async () => {
    const elsewhere = join(parent, 'elsewhere');
    await writeFile(elsewhere, 'precious');
    await mkdir(directory);
    await symlink(elsewhere, join(directory, `${ONE}.json`));
    expect(await files().loadContents(ONE)).toBeUndefined();
    await files().keepContents(new Set());
    expect(await readFile(elsewhere, 'utf8')).toBe('precious');
    expect(await readdir(directory)).toEqual([]);
  });
});

test('names that are not hex never become a file name', async () => {
  for (const name of ['', '../state', 'ABCDEF0123', '1'.repeat(129), 'x', `${ONE}/../${TWO}`]) {
    await expect(files().saveContents(name, { a: '1' })).rejects.toMatchObject({ code: 'broken-contract' });
    expect(await files().loadContents(name)).toBeUndefined();
  }
  expect(await readdir(parent)).toEqual([]);
});

test('inputs that are too large are left out, the largest first', async () => {
  await files().saveContents(ONE, { small: 's', large: 'x'.repeat(600_000), larger: '\u20ac'.repeat(500_000) });
  expect(await files().loadContents(ONE)).toEqual({ small: 's', large: 'x'.repeat(600_000) });
  expect((await stat(join(directory, `${ONE}.json`))).size).toBeLessThanOrEqual(1_048_576);
});

test('a save that fails says why and leaves the next one free to succeed', async () => {
  await writeFile(directory, 'a file');
  const one = files();
  await expect(one.saveContents(ONE, { a: '1' })).rejects.toMatchObject({
    code: 'state-unreadable',
    message: expect.stringMatching(/^Writing .* failed: EEXIST/),
  });
  await rm(directory);
  await one.saveContents(ONE, { a: '1' });
  expect(await one.loadContents(ONE)).toEqual({ a: '1' });
});

test('a directory that is open to others is closed again', async () => {
  await mkdir(directory, { mode: 0o755 });
  await chmod(directory, 0o755);
  await files().saveContents(ONE, {});
  expect((await stat(directory)).mode & 0o777).toBe(0o700);
});
