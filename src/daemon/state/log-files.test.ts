import { mkdtemp, readdir, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fc, test as propertyTest } from '@fast-check/vitest';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { silentLogger } from '../../logger.ts';
import { createLogFiles, type LogFiles } from './log-files.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'ac-logs-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const never = new AbortController().signal;
async function readAll(logs: LogFiles, id: string, offset = 0) {
  const chunks: { offset: number; text: string }[] = [];
  for await (const chunk of logs.read(id, { offset, follow: false, signal: never })) chunks.push(chunk);
  return { chunks, text: chunks.map(({ text }) => text).join('') };
}
const create = (options: { segmentBytes?: number; maxSegments?: number } = {}) =>
  createLogFiles(directory, { ...options, logger: silentLogger });

test('text is read back in order, from any offset, and only the owner may read the files', async () => {
  const logs = create();
  for (let i = 0; i < 100; i++) logs.append('a', `line ${i}\n`);
  logs.append('b', 'other\n');
  const { text } = await readAll(logs, 'a');
  expect(text.split('\n')).toHaveLength(101);
  expect((await readAll(logs, 'a', 7)).chunks[0]).toMatchObject({ offset: 7 });
  expect((await readAll(logs, 'a', 7)).text).toBe(text.slice(7));
  expect(await logs.size('a')).toBe(text.length);
  expect(await logs.size('none')).toBe(0);
  await logs.flush();
  expect((await stat(join(directory, 'a.0.log'))).mode & 0o777).toBe(0o600);
});

test('a restart goes on where the log ended', async () => {
  const first = create({ segmentBytes: 10 });
  first.append('a', '0123456789');
  first.append('a', 'abc');
  await first.flush();
  const second = create({ segmentBytes: 10 });
  second.append('a', 'def');
  expect((await readAll(second, 'a')).text).toBe('0123456789abcdef');
  expect(await second.size('a')).toBe(16);
});

test('old text goes, offsets stay', async () => {
  const logs = create({ segmentBytes: 10, maxSegments: 2 });
  for (let i = 0; i < 10; i++) {
    logs.append('a', `${i}`.repeat(10));
    await logs.flush();
  }
  expect((await readdir(directory)).toSorted()).toEqual(['a.80.log', 'a.90.log']);
  expect(await logs.size('a')).toBe(100);
  expect((await readAll(logs, 'a', 5)).chunks[0]).toEqual({ offset: 80, text: '8888888888' });
});

test('a follower sees what comes later, and ends when its signal aborts', async () => {
  const logs = create();
  logs.append('a', 'one ');
  const controller = new AbortController();
  let seen = '';
  let heard: (() => void) | undefined;
  const reading = (async () => {
    for await (const { text } of logs.read('a', { offset: 0, follow: true, signal: controller.signal })) {
      seen += text;
      heard?.();
    }
  })();
  const until = (text: string) =>
    new Promise<void>((resolve) => {
      heard = () => {
        if (seen === text) resolve();
      };
      heard();
    });
  await until('one ');
  logs.append('a', 'two');
  await until('one two');
  controller.abort();
  await reading;
});

test('a follower of a log that is removed ends, and a later log begins anew', async () => {
  const logs = create();
  logs.append('a', 'x');
  await logs.flush();
  const iterator = logs.read('a', { offset: 0, follow: true, signal: never })[Symbol.asyncIterator]();
  expect((await iterator.next()).value).toEqual({ offset: 0, text: 'x' });
  const end = iterator.next();
  await logs.remove('a');
  expect((await end).done).toBe(true);
  expect(await readdir(directory)).toEqual([]);
  logs.append('a', 'y');
  expect((await readAll(logs, 'a')).text).toBe('y');
});

test('a file that somebody cut does not hang a reader', async () => {
  const logs = create();
  logs.append('a', 'abcdef');
  await logs.flush();
  await truncate(join(directory, 'a.0.log'), 0);
  expect((await readAll(logs, 'a')).text).toBe('');
});

test('text that cannot be written is dropped with one warning, and writing goes on when it can', async () => {
  const blocked = join(directory, 'blocked');
  await writeFile(blocked, '');
  const warnings: string[] = [];
  const logs = createLogFiles(blocked, { logger: { ...silentLogger, warn: (_, message) => warnings.push(message) } });
  logs.append('a', 'lost');
  await logs.flush();
  logs.append('a', 'lost too');
  await logs.flush();
  expect(warnings).toHaveLength(1);
  expect(warnings[0]).toMatch(/^Writing a devcontainer log failed: /);
  await rm(blocked);
  logs.append('a', 'kept');
  expect((await readAll(logs, 'a')).text).toBe('kept');
});

test.each(['', '../x', 'a/b', 'a.b', 'x'.repeat(129)])(
  '%j is the id of nothing: it has no log and gets none',
  async (id) => {
    const warnings: string[] = [];
    const logs = createLogFiles(join(directory, 'logs'), {
      logger: { ...silentLogger, warn: (_, message) => warnings.push(message) },
    });
    logs.append(id, 'x');
    await logs.flush();
    expect(await logs.size(id)).toBe(0);
    expect(await readAll(logs, id)).toEqual({ chunks: [], text: '' });
    await logs.remove(id);
    expect(await readdir(directory)).toEqual([]);
    expect(warnings).toHaveLength(1);
  },
);

propertyTest.prop(
  [
    fc.array(fc.string({ unit: 'grapheme', minLength: 1 }), { minLength: 1, maxLength: 20 }),
    fc.integer({ min: 4, max: 20 }),
  ],
  {
    numRuns: 50,
  },
)('no character is ever cut, whatever the size of segments', async (texts, segmentBytes) => {
  const id = `p${Math.random().toString(36).slice(2)}`;
  const logs = create({ segmentBytes, maxSegments: 10_000 });
  for (const text of texts) logs.append(id, text);
  const { chunks, text } = await readAll(logs, id);
  expect(text).toBe(texts.join(''));
  for (const chunk of chunks) expect(Buffer.byteLength(chunk.text)).toBeGreaterThan(0);
});
