import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { afterEach, beforeEach, expect, it } from 'vitest';

import { createRunFolders } from './run-folder.ts';

const exec = promisify(execFile);
let parent: string;
beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), 'run-folder-'));
});
afterEach(() => rm(parent, { recursive: true, force: true }));

const modeOf = async (path: string) => (await stat(path)).mode & 0o777;

it('is private, as are its files, and goes with all that is in it', async () => {
  const open = createRunFolders(parent);
  const [one, other] = await Promise.all([open(), open()]);
  expect(one.path).not.toBe(other.path);
  expect(await modeOf(one.path)).toBe(0o700);
  const file = await one.write('x.json', '{}');
  expect([await modeOf(file), await modeOf(one.preload)]).toEqual([0o600, 0o600]);
  await mkdir(join(one.path, 'deep/er'), { recursive: true });
  await one.remove();
  await one.remove();
  expect(await readdir(parent)).toEqual([other.path.split('/').at(-1)]);
});

it('is where a process finds room for temporary files, while its commands do not', async () => {
  const folder = await createRunFolders(parent)();
  const script = `
    const { tmpdir } = require('os');
    const { execFileSync } = require('child_process');
    console.log(JSON.stringify([tmpdir(), execFileSync('/bin/sh', ['-c', 'echo "$TMPDIR"'], { encoding: 'utf8' }).trim()]));
  `;
  const env = { PATH: process.env['PATH'], TMPDIR: '/elsewhere' };
  const { stdout } = await exec(process.execPath, ['--require', folder.preload, '-e', script], { env });
  expect(JSON.parse(stdout)).toEqual([folder.path, '/elsewhere']);
});

it('offers a process a text at a path at which there is no file', async () => {
  const folder = await createRunFolders(parent)();
  const [offered, other] = [join(parent, 'offered.json'), join(parent, 'other.json')];
  await writeFile(other, 'other');
  await folder.offer(offered, '{"offered":true}');
  const script = `
    const fs = require('fs');
    const { promisify } = require('util');
    const read = (path) => promisify(fs.readFile)(path, 'utf8').catch((error) => error.code);
    const inOtherWays = (path) => Promise.all([
      fs.promises.readFile(path, 'utf8').catch((error) => error.code),
      (async () => fs.readFileSync(path, 'utf8'))().catch((error) => error.code),
    ]);
    (async () => console.log(JSON.stringify([await read(process.argv[1]), await read(process.argv[2]), await inOtherWays(process.argv[1])])))();
  `;
  const { stdout } = await exec(process.execPath, ['--require', folder.preload, '-e', script, offered, other]);
  // Whoever reads it in a way that is not known finds nothing, and nothing that somebody else has put there.
  expect(JSON.parse(stdout)).toEqual(['{"offered":true}', 'other', ['ENOENT', 'ENOENT']]);
});

it('brings the list of harmful features along from one run to the next', async () => {
  const open = createRunFolders(parent);
  const first = await open();
  const name = await cliFolderIn(first);
  const file = join(first.path, name, 'control-manifest.json');
  await writeFile(file, '{"x":1}');
  await utimes(file, 1_000, 1_000);
  await first.remove();
  const second = await open();
  const copy = join(second.path, name, 'control-manifest.json');
  expect(await readFile(copy, 'utf8')).toBe('{"x":1}');
  expect((await stat(copy)).mtimeMs).toBe(1_000_000);
  // A newer one counts, an older one does not.
  await writeFile(copy, '{"x":2}');
  await second.remove();
  const third = await open();
  expect(await readFile(join(third.path, name, 'control-manifest.json'), 'utf8')).toBe('{"x":2}');
});

it('removes at its first use what a process that was killed left behind', async () => {
  const left = join(parent, 'agentcontainers-cli-left');
  await mkdir(left, { mode: 0o700 });
  await writeFile(join(left, 'owner.json'), JSON.stringify({ pid: process.pid, bootId: 'earlier', startTime: '1' }));
  const folder = await createRunFolders(parent)();
  expect(await readdir(parent)).toEqual([folder.path.split('/').at(-1)]);
});

it('rejects with the reason when there is no room for it', async () => {
  await expect(createRunFolders(join(parent, 'nowhere'))()).rejects.toMatchObject({ code: 'ENOENT' });
});

/** Makes the folder that the CLI would make. */
async function cliFolderIn({ path, preload }: { path: string; preload: string }): Promise<string> {
  const script = `
    const os = require('os');
    const name = process.platform === 'linux' ? 'devcontainercli-' + os.userInfo().username : 'devcontainercli';
    require('fs').mkdirSync(require('path').join(os.tmpdir(), name));
    console.log(name);
  `;
  const { stdout } = await exec(process.execPath, ['--require', preload, '-e', script]);
  expect(await readdir(path)).toContain(stdout.trim());
  return stdout.trim();
}
