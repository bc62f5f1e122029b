import { cp, mkdir, readFile, rename, rm, symlink, unlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Devcontainer } from '../../src/index.ts';
import { createMemoryStorage } from '../../src/testing/index.ts';
import { BASE_IMAGE, testEngine } from './support/engine-harness.ts';
import { CONFIG, startLibrary, type Library } from './support/library.ts';
import { SAVE_STYLES } from './support/save-styles.ts';

// Files that a configuration refers to, changed while its container runs. It stays the same one throughout.

const engine = testEngine();
const storage = createMemoryStorage();
let library: Library;
let built: string;
let composed: string;

async function write(folder: string, name: string, text: string): Promise<string> {
  const path = join(folder, name);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, text);
  return path;
}

// Changes are seen by the watches alone: the safety net does not come within the test.
const start = (): Promise<Library> => startLibrary(engine, { storage, trust: 'all', updateIntervalMs: 600_000 });

beforeAll(async () => {
  built = await engine.makeFolder('built');
  await write(
    built,
    CONFIG,
    JSON.stringify({
      build: { dockerfile: '../docker/Dockerfile', context: '..' },
      init: true,
      customizations: { agentcontainers: { watch: ['/requirements.txt'] } },
    }),
  );
  await write(built, 'docker/Dockerfile', `FROM ${BASE_IMAGE}\nCOPY package.json /\nCOPY src /src\n`);
  await write(built, 'package.json', '{}');
  await write(built, 'src/deep/a.ts', 'a');
  await write(built, 'requirements.txt', 'x');

  composed = await engine.makeFolder('composed');
  const service = `    image: ${BASE_IMAGE}\n    init: true\n    command: sleep infinity\n`;
  await write(
    composed,
    CONFIG,
    JSON.stringify({ dockerComposeFile: '../compose/c.yaml', service: 'main', workspaceFolder: '/' }),
  );
  await write(
    composed,
    'compose/c.yaml',
    "version: '3.7'\nservices:\n  main:\n    extends:\n      file: ../base/b.yaml\n      service: base\n    env_file: main.env\n",
  );
  await write(composed, 'compose/main.env', 'A=1\n');
  await write(composed, 'base/b.yaml', `version: '3.7'\nservices:\n  base:\n${service}`);

  library = await start();
  await Promise.all([library.up(built), library.up(composed)]);
});
afterAll(async () => {
  await library?.api.close();
  await engine.cleanup();
});

const inputsOf = (seen: Devcontainer): string[] => (seen.dirtyReasons ?? []).map(({ input }) => input);

/** Waits until exactly these inputs are said to differ. */
async function untilDiffers(folder: string, ...inputs: string[]): Promise<Devcontainer> {
  const wanted = JSON.stringify(inputs);
  return library.until(folder, `different: ${wanted}`, (seen) => JSON.stringify(inputsOf(seen)) === wanted);
}

describe.each<[string, () => string, string, string, string]>([
  ['a Dockerfile', () => built, 'docker/Dockerfile', './docker/Dockerfile', '\nRUN true\n'],
  ['a compose file', () => composed, 'compose/c.yaml', './compose/c.yaml', '    hostname: other\n'],
])('%s makes dirty, and clean again after the same way back, when it', (_what, folder, name, input, addition) => {
  it.each(SAVE_STYLES)('%s', async (_way, save) => {
    await untilDiffers(folder());
    const path = join(folder(), name);
    const original = await readFile(path, 'utf8');
    await save(path, original + addition);
    const seen = await untilDiffers(folder(), input);
    expect(seen).toMatchObject({ status: 'running', dirty: true, dirtyReasons: [{ class: 'recreate' }] });
    await save(path, original);
    expect((await untilDiffers(folder())).dirty).toBe(false);
  });

  it('is not there for a while', async () => {
    const path = join(folder(), name);
    const original = await readFile(path, 'utf8');
    await unlink(path);
    await library.until(folder(), 'dirty', ({ dirty }) => dirty);
    await writeFile(path, original);
    await untilDiffers(folder());
  });

  it('comes back with its directory', async () => {
    const path = join(folder(), name);
    const directory = dirname(path);
    const original = await readFile(path, 'utf8');
    for (const text of [original + addition, original]) {
      await rename(directory, `${directory}.old`);
      await cp(`${directory}.old`, directory, { recursive: true });
      await writeFile(path, text);
      await rm(`${directory}.old`, { recursive: true });
      await untilDiffers(folder(), ...(text === original ? [] : [input]));
    }
  });

  it('is reached by a link that is made to lead elsewhere, and its directory too', async () => {
    const path = join(folder(), name);
    const directory = dirname(path);
    const original = await readFile(path, 'utf8');
    const other = `${directory}.other`;
    await cp(directory, other, { recursive: true });
    await writeFile(join(other, path.slice(directory.length + 1)), original + addition);
    // The file.
    await rename(path, `${path}.real`);
    await symlink(`${path}.real`, path);
    await untilDiffers(folder());
    await symlink(join(other, path.slice(directory.length + 1)), `${path}.new`);
    await rename(`${path}.new`, path);
    await untilDiffers(folder(), input);
    await writeFile(join(other, path.slice(directory.length + 1)), original);
    await untilDiffers(folder());
    await rename(`${path}.real`, path);
    // The directory.
    await writeFile(join(other, path.slice(directory.length + 1)), original + addition);
    await rename(directory, `${directory}.real`);
    await symlink(other, directory);
    await untilDiffers(folder(), input);
    await unlink(directory);
    await symlink(`${directory}.real`, directory);
    await untilDiffers(folder());
    await unlink(directory);
    await rename(`${directory}.real`, directory);
    await rm(other, { recursive: true });
    await untilDiffers(folder());
  });
});

describe('another input makes dirty alone, and clean again when it is reverted:', () => {
  it.each<[string, () => string, string, string, string]>([
    ['a copied file', () => built, 'package.json', './package.json', '{ "a": 1 }'],
    ['a file deep in a copied directory', () => built, 'src/deep/a.ts', './src/', 'b'],
    ['a file that the user lists', () => built, 'requirements.txt', './requirements.txt', 'y'],
    [
      'a new lock file',
      () => built,
      '.devcontainer/devcontainer-lock.json',
      './.devcontainer/devcontainer-lock.json',
      '{}',
    ],
    [
      'an extended compose file',
      () => composed,
      'base/b.yaml',
      './base/b.yaml',
      'services: { base: { image: other } }\n',
    ],
    ['an env file', () => composed, 'compose/main.env', './compose/main.env', 'A=2\n'],
    ['.env of the project', () => composed, 'compose/.env', './compose/.env', 'B=2\n'],
  ])('%s', async (_what, folder, name, input, text) => {
    await untilDiffers(folder());
    const path = join(folder(), name);
    const original = await readFile(path, 'utf8').catch(() => undefined);
    await writeFile(path, text);
    await untilDiffers(folder(), input);
    if (original === undefined) await unlink(path);
    else await writeFile(path, original);
    await untilDiffers(folder());
  });

  it('a new directory in a copied one, and what is written in it later', async () => {
    await mkdir(join(built, 'src/new/deeper'), { recursive: true });
    await writeFile(join(built, 'src/new/deeper/file'), '1');
    const one = await untilDiffers(built, './src/');
    await rm(join(built, 'src/new'), { recursive: true });
    await untilDiffers(built);
    expect(one.dirty).toBe(true);
  });
});

it('a broken compose file keeps what was known, says where the fault is, and is seen to be mended', async () => {
  const path = join(composed, 'compose/c.yaml');
  const original = await readFile(path, 'utf8');
  await writeFile(path, `${original}    hostname: "other\n`);
  const seen = await library.until(composed, 'the error', ({ configError }) => configError !== undefined);
  expect(seen).toMatchObject({
    dirty: false,
    configError: { message: expect.stringMatching(/^\.\/compose\/c\.yaml, line 9, /) },
  });
  await writeFile(path, original);
  const mended = await library.until(composed, 'no error', ({ configError }) => configError === undefined);
  expect(mended.dirty).toBe(false);
});

it('what changed while nobody looked is found at the start', async () => {
  const path = join(built, 'docker/Dockerfile');
  const original = await readFile(path, 'utf8');
  await library.api.close();
  await writeFile(path, `${original}RUN true\n`);
  library = await start();
  const seen = await untilDiffers(built, './docker/Dockerfile');
  const [difference] = await library.api.diff(seen.id);
  expect(difference).toMatchObject({ input: './docker/Dockerfile', before: original, after: `${original}RUN true\n` });
  await writeFile(path, original);
  await untilDiffers(built);
});
