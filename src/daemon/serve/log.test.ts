import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { createDaemonLog } from './log.ts';

async function temporary(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'ac-log-'));
  onTestFinished(() => rm(path, { recursive: true }));
  return path;
}

test('a log file is for its owner alone, also when it was there before, and shows no secret', async () => {
  const file = join(await temporary(), 'daemon.log');
  await writeFile(file, '', { mode: 0o644 });
  const log = await createDaemonLog({ level: 'info', file, json: true, stderr: false });
  log.logger.debug({}, 'too low');
  log.logger.info({ token: 'geheim', request: { authorization: 'Bearer geheim' } }, 'hello');
  await log.close();
  const lines = (await readFile(file, 'utf8')).trim().split('\n');
  expect(lines).toHaveLength(1);
  expect(JSON.parse(lines[0] ?? '')).toMatchObject({ level: 30, msg: 'hello', token: '[redacted]' });
  expect(lines[0]).not.toContain('geheim');
  expect((await stat(file)).mode & 0o777).toBe(0o600);
});

test('the file is rotated at 5 MB, and no more than ten are kept', async () => {
  const directory = await temporary();
  const log = await createDaemonLog({ level: 'info', file: join(directory, 'daemon.log'), json: true, stderr: false });
  const text = 'x'.repeat(1_000_000);
  for (let i = 0; i < 62; i++) {
    log.logger.info({ i }, text);
    await new Promise((resolve) => setImmediate(resolve));
  }
  await log.close();
  const files = (await readdir(directory)).toSorted();
  expect(files).toHaveLength(10);
  expect(files[0]).toBe('daemon.log');
  for (const file of files) {
    const { mode, size } = await stat(join(directory, file));
    expect(mode & 0o777).toBe(0o600);
    expect(size).toBeLessThan(8_000_000);
  }
});

test('a log file that cannot be opened stops the start with the next step', async () => {
  const file = join(await temporary(), 'missing', 'file', '\u0000');
  await expect(createDaemonLog({ level: 'info', file, json: true, stderr: false })).rejects.toThrow(
    'Give another --log-file',
  );
});
