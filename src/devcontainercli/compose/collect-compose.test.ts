import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeWorkspaceFolder, type WorkspaceFolder } from '../../../test/support/workspace-folder.ts';
import { systemClock } from '../../clock/system-clock.ts';
import { createFileReader } from '../inputs/file-reader.ts';
import { gatherInputs } from '../inputs/gather-inputs.ts';

const CONFIG = '.devcontainer/devcontainer.json';

let w: WorkspaceFolder;
beforeEach(async () => {
  w = await makeWorkspaceFolder();
});
afterEach(() => w.dispose());

async function gather() {
  const { outcome } = await gatherInputs(w.key, createFileReader(systemClock), 'values');
  if (outcome.kind !== 'valid') throw new Error(JSON.stringify(outcome));
  return { ...outcome, files: Object.keys(outcome.inputs).filter((name) => /^[./]/.test(name)) };
}

async function compose(dockerComposeFile: unknown, files: Record<string, string>, service = 'dev'): Promise<void> {
  await w.write(CONFIG, { dockerComposeFile, service });
  for (const [name, text] of Object.entries(files)) await w.write(name, text);
}

describe('what a service is made from', () => {
  const IMAGE = 'services: {dev: {image: "a:1"}}';
  it.each<[string, unknown, Record<string, string>, string[]]>([
    ['its image', '../c.yaml', { 'c.yaml': IMAGE }, ['a:1']],
    [
      'the image of a later file',
      ['../c.yaml', '../d.yaml'],
      { 'c.yaml': IMAGE, 'd.yaml': 'services: {dev: {image: "b:1"}}' },
      ['b:1'],
    ],
    [
      'the image of a service that it extends',
      '../c.yaml',
      { 'c.yaml': 'services: {dev: {extends: base}, base: {image: "a:2"}}' },
      ['a:2'],
    ],
    [
      'one of another file',
      '../c.yaml',
      {
        'c.yaml': 'services: {dev: {extends: {file: x/b.yaml, service: base}}}',
        'x/b.yaml': 'services: {base: {extends: {file: deeper.yaml, service: it}}}',
        'x/deeper.yaml': 'services: {it: {image: "a:3"}}',
      },
      ['a:3'],
    ],
    [
      'its own image before the one it extends',
      '../c.yaml',
      { 'c.yaml': 'services: {dev: {extends: base, image: "a:4"}, base: {image: "b"}}' },
      ['a:4'],
    ],
    ['an included service', '../c.yaml', { 'c.yaml': 'include: [x/c.yaml]', 'x/c.yaml': IMAGE }, ['a:1']],
    [
      'an image with variables of .env',
      '../c.yaml',
      { 'c.yaml': 'services: {dev: {image: "a:${TAG:-none}-${OTHER:-default}"}}', '.env': 'TAG="5"' },
      ['a:5-default'],
    ],
    [
      'the base images of its Dockerfile',
      '../c.yaml',
      {
        'c.yaml': 'services: {dev: {image: name, build: {context: x, args: {V: 6}}}}',
        'x/Dockerfile': 'ARG V\nFROM a:$V',
      },
      ['a:6'],
    ],
    [
      'a build that is only a context',
      '../c.yaml',
      { 'c.yaml': 'services: {dev: {build: ./x}}', 'x/Dockerfile': 'FROM a:7' },
      ['a:7'],
    ],
    [
      'a build of which files say parts',
      ['../c.yaml', '../d.yaml'],
      {
        'c.yaml': 'services: {dev: {build: {context: x, args: [A=1, B=1]}}}',
        'd.yaml': 'services: {dev: {build: {dockerfile: D, args: [B=2]}}}',
        'x/D': 'ARG A\nARG B\nFROM a:$A$B',
      },
      ['a:12'],
    ],
    [
      'a build within the compose file',
      '../c.yaml',
      { 'c.yaml': 'services: {dev: {build: {dockerfile_inline: "FROM a:8\\n"}}}' },
      ['a:8'],
    ],
    [
      'a target of its Dockerfile',
      '../c.yaml',
      { 'c.yaml': 'services: {dev: {build: {context: ., target: one}}}', Dockerfile: 'FROM a:9 AS one\nFROM b' },
      ['a:9'],
    ],
    ['nothing, when there is no such service', '../c.yaml', { 'c.yaml': 'services: {other: {image: b}}' }, []],
    ['nothing, when it extends itself', '../c.yaml', { 'c.yaml': 'services: {dev: {extends: dev}}' }, []],
  ])('is %s', async (_what, named, files, images) => {
    await compose(named, files);
    expect(await gather()).toMatchObject({ images, problems: [], unseen: [] });
  });

  it.each<[string, string]>([
    ['an image by a variable of the environment', 'services: {dev: {image: "a:${HOME}"}}'],
    ['a Dockerfile by one', 'services: {dev: {build: {context: ., dockerfile: "${HOME}/D"}}}'],
  ])('is not known, and that is said: %s', async (_what, text) => {
    await compose('../c.yaml', { 'c.yaml': text });
    const { images, problems } = await gather();
    expect(images).toEqual([]);
    expect(problems[0]).toMatch(/is not looked at: it depends on a variable\.$/);
  });

  it('is looked for where compose does: relative to the first file, an extended file to itself', async () => {
    await compose(['../first/c.yaml', '../second/c.yaml'], {
      'first/c.yaml': 'services: {dev: {env_file: one.env}}',
      'second/c.yaml': 'services: {dev: {env_file: two.env, extends: {file: ../third/c.yaml, service: x}}}',
      'third/c.yaml': 'services: {x: {env_file: three.env, build: .}}',
    });
    const { files } = await gather();
    expect(files).toEqual([
      './first/.env',
      './first/c.yaml',
      './first/one.env',
      './first/two.env',
      './second/c.yaml',
      './third/Dockerfile',
      './third/c.yaml',
      './third/three.env',
    ]);
  });

  it('has included files relative to their own folder, or to the one that is given', async () => {
    await compose('../c.yaml', {
      'c.yaml':
        'include:\n  - a/c.yaml\n  - path: [b/c.yaml, b/d.yaml]\n    project_directory: p\n    env_file: e.env\n',
      'a/c.yaml': 'services: {a: {env_file: a.env}}',
      'b/c.yaml': 'services: {b: {env_file: {path: "${WHERE}.env"}}}',
      'b/d.yaml': 'services: {b: {label_file: l.env}}',
      'e.env': 'WHERE=there',
    });
    expect((await gather()).files).toEqual([
      './.env',
      './a/.env',
      './a/a.env',
      './a/c.yaml',
      './b/c.yaml',
      './b/d.yaml',
      './c.yaml',
      './e.env',
      './p/l.env',
      './p/there.env',
    ]);
  });
});

describe('what is handed on to judge', () => {
  it('is every file once, those named first, then what they take in', async () => {
    await compose(['../c.yaml', '../d.yaml'], {
      'c.yaml':
        'include: [i.yaml]\nservices: {dev: {extends: {file: e.yaml, service: x}}, two: {extends: {file: e.yaml, service: x}}}',
      'd.yaml': 'services: {dev: {privileged: true}}\n---\nservices: {dev: {image: second-document}}',
      'e.yaml': 'services: {x: {image: a}}',
      'i.yaml': 'services: {i: {image: b}}',
    });
    const { parsed } = await gather();
    expect(parsed.compose.map(({ name, path }) => [name, path])).toEqual(
      ['c.yaml', 'd.yaml', 'd.yaml', 'e.yaml', 'i.yaml'].map((name) => [`./${name}`, w.path(name)]),
    );
    expect(parsed.compose[1]?.document).toEqual({ services: { dev: { privileged: true } } });
  });

  it('are variables as files tell them, also where several differ; what cannot be told, or lies outside, has no value', async () => {
    await writeFile(join(w.root, 'outside.env'), 'SECRET=canary');
    await compose('../c.yaml', {
      'c.yaml': 'include: [{path: d.yaml, env_file: [more.env, linked.env]}]\nservices: {}',
      'd.yaml': 'services: {}',
      '.env': 'A=1\nONE=1\nHOME=/tmp\nLC_ALL=C\nCOMPOSE_FILE=x\nREF=$HOME\n',
      'more.env': 'A=2\nB=2\nONE=1\n',
    });
    await symlink(join(w.root, 'outside.env'), w.path('linked.env'));
    expect((await gather()).parsed.composeVariables).toEqual({
      A: '${A} or 1 or 2',
      ONE: '1',
      HOME: '/tmp',
      LC_ALL: 'C',
      COMPOSE_FILE: 'x',
      REF: '${REF}',
      B: '${B} or 2',
      SECRET: '${SECRET}',
    });
  });

  it('are those of .env in the workspace folder, too, which does not say what compose replaces', async () => {
    await compose('compose.yaml', {
      '.devcontainer/compose.yaml': 'services: {dev: {image: "a:${SAME}-${ONE}-${HERE:-default}"}}',
      '.devcontainer/.env': 'SAME=1\nONE=1\n',
      '.env': 'SAME=1\nONE=2\nTHERE=3\nCOMPOSE_PROJECT_NAME=other\nDOCKER_HOST=x\n',
    });
    const { parsed, images } = await gather();
    expect(parsed.composeVariables).toEqual({
      SAME: '1',
      ONE: '${ONE} or 2 or 1',
      THERE: '${THERE} or 3',
      COMPOSE_PROJECT_NAME: 'other',
      DOCKER_HOST: 'x',
    });
    // Which of the two counts depends on the version of compose.
    expect(images).toEqual([]);
    expect((await w.read()).findings.map(({ detail }) => detail)).toEqual([
      'variable COMPOSE_PROJECT_NAME of compose: other',
      'variable DOCKER_HOST of compose: x',
      'services.dev.image: a:${SAME}-${ONE}-${HERE:-default}',
      'variable HERE',
      'variable ONE',
    ]);
  });

  it.each<[string, unknown, string, string]>([
    ['a file by a variable of the CLI', '${localEnv:HOME}/c.yaml', '', '${localEnv:HOME}/c.yaml'],
    ['no file at all', [], '', 'dockerComposeFile'],
    ['what is no text', [1], '', 'dockerComposeFile'],
    ['a file that is not there', '../gone.yaml', '', './gone.yaml'],
    [
      'an include by a variable of the environment',
      '../c.yaml',
      'include: ["${PWD_}${HOME}/c.yaml"]',
      '${PWD_}${HOME}/c.yaml',
    ],
    ['an include from elsewhere', '../c.yaml', 'include: ["oci://example.com/x:1"]', 'oci://example.com/x:1'],
    ['an include of a repository', '../c.yaml', 'include: ["git@example.com:x.git"]', 'git@example.com:x.git'],
    ['an include that may be elsewhere', '../c.yaml', 'include: [{path: example.com/x.git}]', './example.com/x.git'],
    [
      'an extended file in the home directory',
      '../c.yaml',
      'services: {dev: {extends: {file: ~/x.yaml, service: a}}}',
      '~/x.yaml',
    ],
    [
      'a project directory by a variable',
      '../c.yaml',
      'include: [{path: c.yaml, project_directory: "${HOME}"}]',
      '${HOME}',
    ],
    [
      'variables from a file that cannot be told',
      '../c.yaml',
      'include: [{path: c.yaml, env_file: "${HOME}/x"}]',
      '${HOME}/x',
    ],
  ])('is that something was not seen which can ask for anything: %s', async (_what, named, text, reference) => {
    await compose(named, { 'c.yaml': text === '' ? 'services: {}' : text });
    const source = text === '' ? './.devcontainer/devcontainer.json' : './c.yaml';
    expect((await gather()).unseen).toEqual([
      { kind: 'remote-feature', detail: `compose file ${reference}, which was not seen`, source },
    ]);
    const snapshot = await w.read();
    expect(snapshot.findings.some(({ detail }) => detail.includes(reference))).toBe(true);
  });
});

it('a variable of an included project counts in that one alone', async () => {
  await compose('../c.yaml', {
    // Compose takes other.yaml here: what the first include says is not known outside of it.
    'c.yaml': 'include: [{path: a.yaml, env_file: a.env}, "${WHICH:-other}.yaml"]\nservices: {}',
    'a.yaml': 'include: ["${WHICH:-other}-inner.yaml"]\nservices: {}',
    'a.env': 'WHICH=harmless',
    'harmless-inner.yaml': 'services: {}',
    'harmless.yaml': 'services: {}',
    'other.yaml': 'services: {x: {privileged: true}}',
  });
  const { parsed } = await gather();
  expect(parsed.compose.map(({ name }) => name)).toEqual([
    './c.yaml',
    './a.yaml',
    './other.yaml',
    './harmless-inner.yaml',
  ]);
});

it('a variable that an env file may say in another way is not taken for unset', async () => {
  await compose('../c.yaml', { 'c.yaml': 'include: ["${WHICH:-c}.yaml"]\nservices: {}', '.env': 'A="\nWHICH=c\n"' });
  expect((await gather()).unseen).toMatchObject([{ detail: 'compose file ${WHICH:-c}.yaml, which was not seen' }]);
});

describe('what cannot be looked at makes a configuration invalid:', () => {
  it.each<[string, string, (path: string) => Promise<unknown>, RegExp]>([
    [
      'a .env that is too large',
      '.env',
      (path) => writeFile(path, `A=${'x'.repeat(1024 * 1024)}`),
      /^\.\/\.env, .*too-large/,
    ],
    ['a .env that is a directory', '.env', (path) => mkdir(path), /^\.\/\.env, .*not-regular/],
    ['a .env that is no text', '.env', (path) => writeFile(path, Buffer.from([0xff])), /^\.\/\.env, .*not-text/],
    [
      'an extended file that is a device',
      'e.yaml',
      (path) => symlink('/dev/zero', path),
      /^\.\/e\.yaml, .*not-regular/,
    ],
  ])('%s', async (_what, name, make, message) => {
    await compose('../c.yaml', {
      'c.yaml': 'services: {dev: {extends: {file: e.yaml, service: a}}}',
      ...(name === 'e.yaml' ? {} : { 'e.yaml': 'services: {}' }),
    });
    await make(w.path(name));
    expect(await w.files.read(w.key)).toMatchObject({
      kind: 'invalid',
      error: { message: expect.stringMatching(message) },
    });
  });

  it('more compose files than are read', async () => {
    await compose(
      '../c0.yaml',
      Object.fromEntries(Array.from({ length: 60 }, (_, i) => [`c${i}.yaml`, `include: [c${i + 1}.yaml]`])),
    );
    expect(await w.files.read(w.key)).toMatchObject({
      kind: 'invalid',
      error: { message: 'more than 50 compose files' },
    });
  });
});

describe('files in a circle end:', () => {
  it.each([
    ['by include', 'include: [c.yaml, d.yaml]', 'include: [c.yaml]'],
    [
      'by extends',
      'services: {dev: {extends: {file: d.yaml, service: dev}}}',
      'services: {dev: {extends: {file: c.yaml, service: dev}}}',
    ],
    [
      'by extends over many documents',
      `${'services: {dev: {extends: {file: c.yaml, service: dev}}}\n---\n'.repeat(15)}services: {}`,
      'services: {}',
    ],
  ])('%s', async (_what, one, other) => {
    await compose('../c.yaml', { 'c.yaml': one, 'd.yaml': other });
    expect((await gather()).images).toEqual([]);
  });
});

it('reads a file that many services name once', async () => {
  const services = Array.from(
    { length: 2_000 },
    (_, i) => `  s${i}: {env_file: e.env, extends: {file: b.yaml, service: b}}`,
  );
  await compose('../c.yaml', {
    'c.yaml': `services:\n${services.join('\n')}\n`,
    'b.yaml': 'services: {b: {}}',
    'e.env': 'A=1',
  });
  expect((await gather()).files).toEqual(['./.env', './b.yaml', './c.yaml', './e.env']);
}, 10_000);
