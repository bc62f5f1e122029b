import { execFile } from 'node:child_process';
import { mkdir, readFile, rm, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Devcontainer } from '../../src/index.ts';
import { testEngine } from './support/engine-harness.ts';
import { timed } from './support/eventually.ts';
import { CONFIG, hasAgent, startLibrary, type Library, type Running } from './support/library.ts';
import { SAVE_STYLES } from './support/save-styles.ts';

// Ways in which editors and tools write a file, on a container that runs. It stays the same one throughout.

const exec = promisify(execFile);
const engine = testEngine();
let library: Library;
let folder: string;
let path: string;
let running: Running;
let original: string;
let changed: string;

beforeAll(async () => {
  library = await startLibrary(engine);
  folder = await engine.copyFixture('image');
  path = join(folder, CONFIG);
  original = await readFile(path, 'utf8');
  changed = original.replace('"FIXTURE": "image"', '"FIXTURE": "another"');
  expect(changed).not.toBe(original);
  await git('init', '--quiet', '--initial-branch', 'original');
  await commit(original);
  await git('checkout', '--quiet', '-b', 'changed');
  await commit(changed);
  await git('checkout', '--quiet', 'original');
  running = await library.up(folder);
});
afterAll(async () => {
  await library?.api.close();
  await engine.cleanup();
});

async function git(...args: string[]): Promise<void> {
  // Whatever the settings of the person are.
  const env = { ...process.env, GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_SYSTEM: '/dev/null' };
  const settings = ['-c', 'user.name=test', '-c', 'user.email=test@localhost', '-c', 'commit.gpgsign=false'];
  await exec('git', ['-C', folder, ...settings, ...args], { env, timeout: 30_000 });
}

async function commit(text: string): Promise<void> {
  await writeFile(path, text);
  await git('add', '-A');
  await git('commit', '--quiet', '-m', 'version');
}

/** Everything that is shown of this devcontainer from now on, until `stop`. */
function record(): { readonly shown: Devcontainer[]; stop(): void } {
  const shown: Devcontainer[] = [];
  const stop = library.api.subscribe(({ devcontainers }) => {
    const seen = devcontainers.find(({ workspaceFolder }) => workspaceFolder === folder);
    if (seen && seen !== shown.at(-1)) shown.push(seen);
  });
  return { shown, stop };
}

const isDirty = (seen: Devcontainer): boolean => seen.dirty;
const isClean = (seen: Devcontainer): boolean => !seen.dirty;

const WAYS: readonly (readonly [string, (text: string) => Promise<void>])[] = [
  ...SAVE_STYLES.map(([what, save]) => [what, (text: string) => save(path, text)] as const),
  [
    'is unlinked and created later',
    async (text) => {
      const before = await library.api.get(running.devcontainer.id);
      await unlink(path);
      // A pass in between sees that the file is away: nothing is known of a new configuration yet.
      await library.api.refresh();
      expect((await library.api.get(before.id)).dirty).toBe(before.dirty);
      await writeFile(path, text);
    },
  ],
  [
    'is of another version after git checkout',
    (text) => git('checkout', '--quiet', text === original ? 'original' : 'changed'),
  ],
  [
    'comes back with its directory',
    async (text) => {
      await rm(join(folder, '.devcontainer'), { recursive: true });
      await mkdir(join(folder, '.devcontainer'));
      await writeFile(path, text);
    },
  ],
];

describe('a configuration is dirty, and clean again after the same way back, when it', () => {
  it.each(WAYS)('%s', async (_way, write) => {
    await git('checkout', '--quiet', '--force', 'original');
    await library.until(folder, 'clean to begin with', isClean);
    await write(changed);
    const seen = await timed('from the change to dirty', () => library.until(folder, 'dirty', isDirty));
    expect(seen).toMatchObject({ status: 'running', dirtyReasons: [{ input: 'containerEnv', class: 'recreate' }] });

    await write(original);
    const clean = await timed('from the revert to clean', () => library.until(folder, 'clean', isClean));
    expect(clean.dirtyReasons).toBeUndefined();
    // Nothing was done about it: a person decides.
    expect(clean.container?.id).toBe(running.containerId);
    expect(hasAgent(clean)).toBe(true);
  });
});

describe('a configuration is not dirty', () => {
  it('after an edit of comments, white space and order, nor while it is broken', async () => {
    await writeFile(path, original);
    await library.until(folder, 'clean to begin with', isClean);
    const { shown, stop } = record();
    const sameMeaning =
      '{ "containerEnv": {"FIXTURE": "image"},\n// moved\n"init": true,\n\n"image": "agentcontainers-base:1", "name": "Image" }';
    // What a broken file shows, and that it stops, are the signs that the text between was read.
    for (const text of [sameMeaning, original.replace('shown to people', 'only a comment'), original]) {
      const broken = text.slice(0, text.lastIndexOf('}'));
      await writeFile(path, broken);
      // Half written it can be seen as well, with an error of its own.
      const last = broken.trimEnd().split('\n').length;
      const seen = await library.until(folder, 'the error', ({ configError }) => (configError?.line ?? 0) >= last);
      expect(seen.configError).toMatchObject({ column: expect.any(Number), message: expect.stringMatching(/\w/) });
      await writeFile(path, text);
      await library.until(folder, 'no error', ({ configError }) => configError === undefined);
    }
    stop();
    expect(shown.length).toBeGreaterThanOrEqual(6);
    expect(shown.filter(isDirty)).toEqual([]);
    expect(new Set(shown.map(({ container }) => container?.id))).toEqual(new Set([running.containerId]));
  });

  it('and stays dirty while a broken file stands in for a changed one; nothing is made from a broken one', async () => {
    await writeFile(path, changed);
    await library.until(folder, 'dirty', isDirty);
    const { shown, stop } = record();
    await writeFile(path, '{\n  "image": "agentcontainers-base:1",\n  "init" true\n}\n');
    const seen = await library.until(folder, 'the error', ({ configError }) => configError?.line === 3);
    expect(seen.configError?.column).toBeGreaterThan(1);
    await expect(library.api.recreate(seen.id)).rejects.toMatchObject({
      code: 'config-invalid',
      details: { detail: expect.stringContaining(`${path}:3:`) },
    });
    await writeFile(path, changed);
    await library.until(folder, 'no error', ({ configError }) => configError === undefined);
    stop();
    expect(shown.filter(isClean)).toEqual([]);

    await writeFile(path, original);
    const clean = await library.until(folder, 'clean', isClean);
    expect(clean.container?.id).toBe(running.containerId);
  });

  it('when a file beside it changes', async () => {
    const { shown, stop } = record();
    await writeFile(join(folder, '.devcontainer/devcontainer.json.swp'), changed);
    await writeFile(join(folder, '.devcontainer/notes.txt'), 'x');
    // The sign that the directory was looked at after that.
    await writeFile(path, '{');
    await library.until(folder, 'the error', ({ configError }) => configError !== undefined);
    await writeFile(path, original);
    await library.until(folder, 'no error', ({ configError }) => configError === undefined);
    stop();
    expect(shown.filter(isDirty)).toEqual([]);
  });
});
