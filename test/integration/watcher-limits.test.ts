import { execFile, execFileSync } from 'node:child_process';
import { mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const exec = promisify(execFile);
const repository = join(import.meta.dirname, '../..');

// The kernel keeps these limits for each user namespace, so a namespace of its own can be short of them alone.
const canLimit = (() => {
  try {
    execFileSync('unshare', ['-Ur', 'sh', '-c', 'echo 2 > /proc/sys/user/max_inotify_watches'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
})();

const CHILD = `
import { mkdirSync, writeFileSync } from 'node:fs';
import { systemClock } from './clock/system-clock.js';
import { createWatcher } from './watcher/watcher.js';
const warnings = [];
const logger = { debug() {}, info() {}, error() {}, warn: (_fields, message) => warnings.push(message) };
const watcher = createWatcher({ clock: systemClock, logger });
const directories = ['a', 'b', 'c', 'd'].map((name) => process.argv[2] + '/' + name);
const calls = directories.map(() => 0);
directories.forEach((directory, i) => {
  mkdirSync(directory);
  watcher.watch(directory, () => calls[i]++);
});
const all = async (least) => {
  for (let i = 0; i < 600 && !calls.every((count) => count >= least); i++) await new Promise((r) => setTimeout(r, 10));
};
await all(1);
const before = [...calls];
for (const directory of directories) writeFileSync(directory + '/file', 'x');
for (let i = 0; i < 600 && !calls.every((count, at) => count > before[at]); i++) await new Promise((r) => setTimeout(r, 10));
await watcher.close();
console.log(JSON.stringify({ warnings, seen: calls.map((count, at) => count > before[at]) }));
`;

// Every file of a configuration, in directories of their own, read anew after each call as the library does.
const CONFIGURATION = `
import { mkdirSync, writeFileSync } from 'node:fs';
import { systemClock } from './clock/system-clock.js';
import { createConfigFiles } from './devcontainercli/config-files.js';
import { createWatcher } from './watcher/watcher.js';
const warnings = [];
const logger = { debug() {}, info() {}, error() {}, warn: (_fields, message) => warnings.push(message) };
const folder = process.argv[2] + '/w';
const files = {
  '.devcontainer/devcontainer.json': [
    '{ "build": { "dockerfile": "../docker/Dockerfile", "context": ".." }, "dockerComposeFile": "../compose/c.yaml", "service": "a" }',
  ],
  'docker/Dockerfile': ['FROM a\\nCOPY src /\\n', 'FROM b\\nCOPY src /\\n', './docker/Dockerfile'],
  'src/deep/file': ['1', '2', './src/'],
  'compose/c.yaml': ['services: { a: { env_file: ../env/a.env } }', 'services: { a: { env_file: [../env/a.env] } }', './compose/c.yaml'],
  'env/a.env': ['A=1', 'A=2', './env/a.env'],
};
for (const directory of ['.devcontainer', 'docker', 'src/deep', 'compose', 'env']) mkdirSync(folder + '/' + directory, { recursive: true });
for (const [name, [text]] of Object.entries(files)) writeFileSync(folder + '/' + name, text);
const key = { workspaceFolder: folder, configPath: folder + '/.devcontainer/devcontainer.json' };
const configFiles = createConfigFiles();
const watcher = createWatcher({ clock: systemClock, logger });
let inputs = {};
const read = async () => {
  const snapshot = await configFiles.read(key);
  if (snapshot.kind === 'valid') inputs = snapshot.inputs;
};
for (const directory of await configFiles.watchDirectories(key)) watcher.watch(directory, () => void read());
const until = async (isTrue) => {
  for (let i = 0; i < 1000 && !isTrue(); i++) await new Promise((r) => setTimeout(r, 10));
  return isTrue();
};
await until(() => Object.keys(inputs).length > 0);
const missed = [];
for (const [name, [, other, input]] of Object.entries(files)) {
  if (other === undefined) continue;
  const before = inputs[input];
  writeFileSync(folder + '/' + name, other);
  if (before === undefined || !(await until(() => inputs[input] !== before))) missed.push(input);
}
await watcher.close();
console.log(JSON.stringify({ warnings, missed }));
`;

describe.skipIf(!canLimit)('the watcher on a kernel that is short of', () => {
  let folder: string;

  beforeAll(async () => {
    folder = await realpath(await mkdtemp(join(tmpdir(), 'watcher-limits-')));
    await symlink(join(repository, 'node_modules'), join(folder, 'node_modules'));
    await writeFile(join(folder, 'package.json'), '{ "type": "module" }');
    await exec(
      join(repository, 'node_modules/.bin/tsc'),
      ['-p', join(repository, 'tsconfig.build.json'), '--outDir', folder, '--declaration', 'false', '--noCheck'],
      { cwd: repository },
    );
    await writeFile(join(folder, 'child.js'), CHILD);
    await writeFile(join(folder, 'configuration.js'), CONFIGURATION);
  });

  afterAll(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  it.each([
    ['no watches', 'echo 0 > /proc/sys/user/max_inotify_watches', 'fs.inotify.max_user_watches'],
    ['few watches', 'echo 3 > /proc/sys/user/max_inotify_watches', 'fs.inotify.max_user_watches'],
    ['instances', 'echo 0 > /proc/sys/user/max_inotify_instances', 'fs.inotify.max_user_instances'],
  ])('%s still shows a change of every input of a configuration, with one warning', async (name, limit, sysctl) => {
    const workspace = await realpath(await mkdtemp(join(folder, `${name.replace(' ', '-')}-`)));
    const script = `${limit} && exec "$0" "$@"`;
    const { stdout } = await exec(
      'unshare',
      ['-Ur', 'sh', '-c', script, process.execPath, join(folder, 'configuration.js'), workspace],
      { timeout: 55_000 },
    );
    const { warnings, missed } = JSON.parse(stdout) as { warnings: string[]; missed: string[] };
    expect(missed).toEqual([]);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain(sysctl);
  });

  it.each([
    ['watches', 'echo 3 > /proc/sys/user/max_inotify_watches', 'fs.inotify.max_user_watches'],
    ['instances', 'echo 0 > /proc/sys/user/max_inotify_instances', 'fs.inotify.max_user_instances'],
  ])('%s polls what it cannot be notified of, and warns once', async (name, limit, sysctl) => {
    const workspace = await mkdtemp(join(folder, `${name}-`));
    const script = `${limit} && exec "$0" "$@"`;
    const { stdout } = await exec(
      'unshare',
      ['-Ur', 'sh', '-c', script, process.execPath, join(folder, 'child.js'), workspace],
      { timeout: 40_000 },
    );
    const { warnings, seen } = JSON.parse(stdout) as { warnings: string[]; seen: boolean[] };
    expect(seen).toEqual([true, true, true, true]);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain(sysctl);
  });
});
