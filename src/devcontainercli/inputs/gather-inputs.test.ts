import { execFileSync } from 'node:child_process';
import { chmod, mkdir, readdir, readFile, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ValidConfig } from '../../agentcontainers/ports.ts';
import { differences, makeWorkspaceFolder, type WorkspaceFolder } from '../../../test/support/workspace-folder.ts';

const CONFIG = '.devcontainer/devcontainer.json';

let w: WorkspaceFolder;
beforeEach(async () => {
  w = await makeWorkspaceFolder();
});
afterEach(() => w.dispose());

/** A configuration with everything that can be an input. */
async function writeAll(): Promise<void> {
  await w.write(CONFIG, {
    name: 'all',
    dockerComposeFile: ['../compose.yaml', 'compose.override.yaml'],
    service: 'dev',
    features: { './own-feature': {}, 'ghcr.io/some/feature:1': {} },
    customizations: { agentcontainers: { watch: ['/requirements/*.txt', '!/requirements/dev.txt'] } },
  });
  await w.write('.devcontainer/devcontainer-lock.json', { features: {} });
  await w.write('.env', 'TAG=1\n');
  await w.write(
    'compose.yaml',
    'services:\n  dev:\n    extends: { file: extra/base.yaml, service: base }\n    env_file: dev.env\n  db:\n    image: db:${TAG}\n    env_file: [db.env, { path: db2.env, required: false }]\ninclude:\n  - more/compose.yaml\n',
  );
  await w.write('.devcontainer/compose.override.yaml', 'services:\n  dev:\n    command: sleep infinity\n');
  await w.write(
    'extra/base.yaml',
    'services:\n  base:\n    build:\n      context: ..\n      dockerfile: docker/Dockerfile\n',
  );
  await w.write('more/compose.yaml', 'services:\n  cache:\n    image: cache:1\n    env_file: cache.env\n');
  for (const name of ['dev.env', 'db.env', 'db2.env', 'more/cache.env', 'more/.env']) await w.write(name, 'A=1\n');
  await w.write('docker/Dockerfile', 'FROM base:1\nCOPY package.json /\nCOPY src /src\nCOPY tools/*.sh /\n');
  await w.write('package.json', '{}');
  await w.write('src/a/b.ts', 'b');
  await w.write('tools/one.sh', 'one');
  await w.write('.devcontainer/own-feature/devcontainer-feature.json', { id: 'own-feature', version: '1.0.0' });
  await w.write('.devcontainer/own-feature/install.sh', 'true');
  await w.write('requirements/main.txt', 'x');
  await w.write('requirements/dev.txt', 'x');
}

const INPUTS = [
  './.devcontainer/compose.override.yaml',
  './.devcontainer/devcontainer-lock.json',
  './.devcontainer/own-feature/',
  './.devcontainer/own-feature/devcontainer-feature.json',
  './.env',
  './compose.yaml',
  './db.env',
  './db2.env',
  './dev.env',
  './docker/Dockerfile',
  './extra/base.yaml',
  './more/.env',
  './more/cache.env',
  './more/compose.yaml',
  './package.json',
  './requirements/main.txt',
  './src/',
  './tools/*.sh',
];

describe('the inputs', () => {
  it('are every property and every file that it is made from', async () => {
    await writeAll();
    const read = await w.read();
    expect(Object.keys(read.inputs)).toEqual([
      ...INPUTS,
      'customizations',
      'dockerComposeFile',
      'features',
      'name',
      'service',
    ]);
    for (const value of Object.values(read.inputs)) expect(value).toMatch(/^[0-9a-f]{64}$/);
    expect(read).toMatchObject({ images: ['base:1'], problems: [], findings: expect.any(Array) });
  });

  it.each([
    ['compose.yaml', 'services:\n  dev:\n    image: other:1\n', './compose.yaml'],
    [
      '.devcontainer/compose.override.yaml',
      'services:\n  dev:\n    command: other\n',
      './.devcontainer/compose.override.yaml',
    ],
    [
      'extra/base.yaml',
      'services:\n  base:\n    build:\n      context: ..\n      dockerfile: docker/Dockerfile\n      target: x\n',
      './extra/base.yaml',
    ],
    ['more/compose.yaml', 'services:\n  cache:\n    image: cache:2\n    env_file: cache.env\n', './more/compose.yaml'],
    ['.env', 'TAG=2\n', './.env'],
    ['dev.env', 'A=2\n', './dev.env'],
    ['db.env', 'A=2\n', './db.env'],
    ['db2.env', undefined, './db2.env'],
    ['more/cache.env', 'A=2\n', './more/cache.env'],
    ['more/.env', 'A=2\n', './more/.env'],
    [
      'docker/Dockerfile',
      'FROM base:2\nCOPY package.json /\nCOPY src /src\nCOPY tools/*.sh /\n',
      './docker/Dockerfile',
    ],
    ['package.json', '{ }', './package.json'],
    ['src/a/b.ts', 'c', './src/'],
    ['src/a/new.ts', 'b', './src/'],
    ['src/a/b.ts', undefined, './src/'],
    ['tools/two.sh', 'two', './tools/*.sh'],
    ['.devcontainer/own-feature/install.sh', 'false', './.devcontainer/own-feature/'],
    [
      '.devcontainer/own-feature/devcontainer-feature.json',
      { id: 'own-feature', version: '1.0.1' },
      './.devcontainer/own-feature/devcontainer-feature.json',
    ],
    ['.devcontainer/devcontainer-lock.json', { features: { a: {} } }, './.devcontainer/devcontainer-lock.json'],
    ['.devcontainer/devcontainer-lock.json', undefined, './.devcontainer/devcontainer-lock.json'],
    ['requirements/main.txt', 'y', './requirements/main.txt'],
    ['requirements/new.txt', 'y', './requirements/new.txt'],
    ['requirements/main.txt', undefined, './requirements/main.txt'],
  ])(
    'differ when %s alone becomes %j, in %s, and not any more when that is taken back',
    async (name, content, input) => {
      await writeAll();
      const before = await w.read();
      const file = w.path(name);
      const original = await readFile(file, 'utf8').catch(() => undefined);
      await w.write(name, content);
      const after = await w.read();
      // A compose file that names fewer files has fewer inputs.
      expect(differences(before, after)).toContain(input);
      if (name !== 'compose.yaml') expect(differences(before, after)).toEqual([input]);
      expect(after.fingerprint).not.toBe(before.fingerprint);
      await w.write(name, original);
      expect(await w.read()).toMatchObject({ fingerprint: before.fingerprint, inputs: before.inputs });
    },
  );

  it.each([
    [
      'compose.yaml',
      '# comment\nservices: {db: {image: "db:${TAG}", env_file: [db.env, {required: false, path: db2.env}]}, dev: {env_file: dev.env, extends: {service: base, file: extra/base.yaml}}}\ninclude: [more/compose.yaml]\n',
    ],
    [
      'docker/Dockerfile',
      '# comment\n\nFROM base:1\n# comment\nCOPY package.json /\n\nCOPY src /src\nCOPY tools/*.sh /\n',
    ],
    ['.devcontainer/own-feature/devcontainer-feature.json', '{ "version": "1.0.0", /* x */ "id": "own-feature", }'],
    ['.devcontainer/devcontainer-lock.json', '{"features":{}}'],
    ['requirements/dev.txt', 'not meant'],
    ['tools/notes.md', 'not meant'],
    ['src/node_modules/x/index.js', 'not entered'],
    ['src/.git/HEAD', 'not entered'],
    ['.devcontainer/notes.md', 'not meant'],
  ])('do not differ when only %s is written anew', async (name, content) => {
    await writeAll();
    const before = await w.read();
    await w.write(name, content);
    const after = await w.read();
    expect(differences(before, after)).toEqual([]);
  });

  it('do not differ with formatting of compose files', async () => {
    await w.write(CONFIG, { dockerComposeFile: '../compose.yaml', service: 'dev' });
    await w.write('compose.yaml', 'services:\n  dev:\n    image: a:1\n    ports: ["80:80"]\n');
    const before = await w.read();
    await w.write(
      'compose.yaml',
      '# x\nservices:\n    dev:\n        ports:\n            - "80:80" # y\n\n        image: a:1\n',
    );
    expect(differences(before, await w.read())).toEqual([]);
    await w.write('compose.yaml', 'services:\n  dev:\n    image: a:1\n    ports: ["80:81"]\n');
    expect(differences(before, await w.read())).toEqual(['./compose.yaml']);
  });

  it('are files of the legacy properties too', async () => {
    await w.write(CONFIG, { dockerFile: 'Dockerfile', context: '..' });
    await w.write('.devcontainer/Dockerfile', 'FROM a\nCOPY file /\n');
    await w.write('file', '1');
    expect(Object.keys((await w.read()).inputs)).toEqual([
      './.devcontainer/Dockerfile',
      './file',
      'context',
      'dockerFile',
    ]);
  });

  it('take the folder of the Dockerfile for the context, as the dev container CLI does', async () => {
    await w.write(CONFIG, { build: { dockerfile: '../docker/Dockerfile' } });
    await w.write('docker/Dockerfile', 'FROM a\nCOPY x /\n');
    await w.write('docker/x', '1');
    const before = await w.read();
    await w.write('docker/x', '2');
    expect(differences(before, await w.read())).toEqual(['./docker/x']);
  });

  it('count a copied directory once, without what counts by itself, and mind .dockerignore', async () => {
    await w.write(CONFIG, { build: { dockerfile: 'Dockerfile', context: '..' } });
    await w.write('.devcontainer/Dockerfile', 'FROM a\nCOPY . /\n');
    await w.write('.dockerignore', '*.log\ntmp\n!tmp/keep\n');
    await w.write('a.txt', '1');
    const before = await w.read();
    expect(Object.keys(before.inputs)).toEqual(['./', './.devcontainer/Dockerfile', 'build']);
    const after = async (name: string, content: string | undefined): Promise<string[]> => {
      await w.write(name, content);
      return differences(before, await w.read());
    };
    expect(await after('x.log', '1')).toEqual([]);
    expect(await after('tmp/x', '1')).toEqual([]);
    expect(
      await after(CONFIG, `// comment\n${JSON.stringify({ build: { dockerfile: 'Dockerfile', context: '..' } })}`),
    ).toEqual([]);
    expect(await after('.devcontainer/Dockerfile', 'FROM a\n# comment\nCOPY . /\n')).toEqual([]);
    expect(await after('deep/x.log', '1')).toEqual(['./']);
    expect(await after('deep/x.log', undefined)).toEqual([]);
    expect(await after('tmp/keep', '1')).toEqual(['./']);
    expect(await after('tmp/keep', undefined)).toEqual([]);
    expect(await after('a.txt', '2')).toEqual(['./']);
  });

  it('take .dockerignore beside the Dockerfile for the one that counts', async () => {
    await w.write(CONFIG, { build: { dockerfile: 'Dockerfile', context: '..' } });
    await w.write('.devcontainer/Dockerfile', 'FROM a\nCOPY . /\n');
    await w.write('.devcontainer/Dockerfile.dockerignore', '*\n!only\n');
    await w.write('.dockerignore', 'only\n');
    const before = await w.read();
    await w.write('other', '1');
    expect(differences(before, await w.read())).toEqual([]);
    await w.write('only', '1');
    expect(differences(before, await w.read())).toEqual(['./']);
  });

  it('count the executable bit of a copied file, and the target of a link in a copied directory', async () => {
    await w.write(CONFIG, { build: { dockerfile: 'Dockerfile', context: '..' } });
    await w.write('.devcontainer/Dockerfile', 'FROM a\nCOPY run.sh dir /\n');
    const script = await w.write('run.sh', 'true');
    await w.write('dir/x', '1');
    const before = await w.read();
    await chmod(script, 0o755);
    expect(differences(before, await w.read())).toEqual(['./run.sh']);
    await chmod(script, 0o644);
    await symlink('/nowhere', w.path('dir/link'));
    expect(differences(before, await w.read())).toEqual(['./dir/']);
    await rm(w.path('dir/link'));
    await symlink('x', w.path('dir/link'));
    const linked = await w.read();
    await rm(w.path('dir/link'));
    await symlink('y', w.path('dir/link'));
    expect(differences(linked, await w.read())).toEqual(['./dir/']);
  });

  it('replace the variables of the workspace folder in paths, and say so of others', async () => {
    await w.write(CONFIG, {
      build: {
        dockerfile: '${localWorkspaceFolder}/docker/${localWorkspaceFolderBasename}.Dockerfile',
        args: { B: '${localEnv:X}' },
      },
      image: 'name:${localEnv:TAG}',
    });
    await w.write('docker/w.Dockerfile', 'ARG B\nFROM x:$B\nFROM y\n');
    const read = await w.read();
    expect(Object.keys(read.inputs)).toContain('./docker/w.Dockerfile');
    expect(read.images).toEqual(['y']);
    expect(read.problems).toEqual([
      './docker/w.Dockerfile: "FROM x:$B" is not looked at: it depends on a variable.',
      'The image "name:${localEnv:TAG}" is not looked at: it depends on a variable.',
    ]);
    await w.write(CONFIG, { build: { dockerfile: '${localEnv:HOME}/Dockerfile' } });
    const other = await w.read();
    expect(Object.keys(other.inputs)).toEqual(['build']);
    expect(other.problems).toEqual([
      'build.dockerfile "${localEnv:HOME}/Dockerfile" is not looked at: it depends on a variable.',
    ]);
  });

  it('name images of FROM after arguments, and those of the property', async () => {
    await w.write(CONFIG, { build: { dockerfile: 'Dockerfile', args: { VARIANT: '24' }, target: 'dev' } });
    await w.write(
      '.devcontainer/Dockerfile',
      'ARG VARIANT=22\nARG OS=slim\nFROM node:${VARIANT}-$OS AS base\nFROM base AS dev\nCOPY --from=tools:1 /x /\nFROM never:1\n',
    );
    expect((await w.read()).images).toEqual(['node:24-slim', 'tools:1']);
    await w.write(CONFIG, { image: 'plain:1' });
    expect((await w.read()).images).toEqual(['plain:1']);
  });

  it.each([
    ['a', true],
    ['registry.example:5000/group/my--name_x.y:1.2-rc_3', true],
    [`name@sha256:${'a'.repeat(64)}`, true],
    ['../containers/json?all=1', false],
    ['a b', false],
    ['--rm', false],
    ['a'.repeat(513), false],
    [`${'a'.repeat(500)}!`, false],
  ])('take %j for a reference of an image: %s', async (image, isTaken) => {
    await w.write(CONFIG, { image });
    expect(await w.read()).toMatchObject({
      images: isTaken ? [image] : [],
      problems: isTaken ? [] : [expect.any(String)],
    });
  });

  it('tell a property that is called like a file from the file', async () => {
    await w.write(CONFIG, {
      build: { dockerfile: 'Dockerfile' },
      './.devcontainer/Dockerfile': 1,
      '/etc/x': 1,
      'image x': 1,
    });
    await w.write('.devcontainer/Dockerfile', 'FROM a');
    const before = await w.read();
    await w.write('.devcontainer/Dockerfile', 'FROM b');
    expect(differences(before, await w.read())).toEqual(['./.devcontainer/Dockerfile']);
  });
});

describe('a file that is named and', () => {
  beforeEach(() => w.write(CONFIG, { build: { dockerfile: 'Dockerfile', context: '..' } }));

  it('is not there has a value, so that its coming is a difference', async () => {
    const without = await w.read();
    expect(without.inputs['./.devcontainer/Dockerfile']).toMatch(/^[0-9a-f]{64}$/);
    await w.write('.devcontainer/Dockerfile', 'FROM a\nCOPY x /');
    const withDockerfile = await w.read();
    expect(differences(without, withDockerfile)).toEqual(['./.devcontainer/Dockerfile', './x']);
    await w.write('x', '1');
    expect(differences(withDockerfile, await w.read())).toEqual(['./x']);
  });

  it('is a pipe, a device or a directory is not read', async () => {
    const without = await w.read();
    execFileSync('mkfifo', [w.path('.devcontainer/Dockerfile')]);
    const pipe = await w.read();
    expect(differences(without, pipe)).toEqual(['./.devcontainer/Dockerfile']);
    expect(pipe.problems).toEqual(['./.devcontainer/Dockerfile cannot be read (not-regular).']);
    for (const target of ['/dev/zero', '/proc/self/environ', w.root]) {
      await rm(w.path('.devcontainer/Dockerfile'));
      await symlink(target, w.path('.devcontainer/Dockerfile'));
      expect((await w.read()).inputs).toEqual(pipe.inputs);
    }
  });

  it('is too large counts as that', async () => {
    await w.write('.devcontainer/Dockerfile', `FROM a\n#${'x'.repeat(1024 * 1024)}`);
    expect((await w.read()).problems).toEqual(['./.devcontainer/Dockerfile cannot be read (too-large).']);
  });
});

describe('a configuration is not valid, with file, line and column, when', () => {
  it.each([
    [
      'its Dockerfile is half written',
      { build: { dockerfile: 'Dockerfile' } },
      '.devcontainer/Dockerfile',
      'FROM a\nRU',
      './.devcontainer/Dockerfile, line 2, column 1: there is no instruction "RU"',
      2,
      1,
    ],
    [
      'its Dockerfile is empty',
      { build: { dockerfile: 'Dockerfile' } },
      '.devcontainer/Dockerfile',
      '',
      './.devcontainer/Dockerfile, line 1, column 1: there is no FROM instruction',
      1,
      1,
    ],
    [
      'its compose file is broken',
      { dockerComposeFile: '../c.yaml', service: 'a' },
      'c.yaml',
      'services:\n  a:\n    image: "x\n',
      /^\.\/c\.yaml, line 4, column 1: missing closing/,
      4,
      1,
    ],
    [
      'its compose file is empty',
      { dockerComposeFile: '../c.yaml', service: 'a' },
      'c.yaml',
      '',
      './c.yaml, line 1, column 1: must be a mapping',
      1,
      1,
    ],
    [
      'its compose file is a list',
      { dockerComposeFile: '../c.yaml', service: 'a' },
      'c.yaml',
      '- a',
      './c.yaml, line 1, column 1: must be a mapping',
      1,
      1,
    ],
    [
      'its compose file is too large to look at',
      { dockerComposeFile: '../c.yaml', service: 'a' },
      'c.yaml',
      `a: 1\n#${'x'.repeat(1024 * 1024)}`,
      './c.yaml, line 1, column 1: it cannot be read (too-large)',
      1,
      1,
    ],
    [
      'a local feature is broken',
      { features: { './f': {} } },
      '.devcontainer/f/devcontainer-feature.json',
      '{ "id": ',
      /^\.\/\.devcontainer\/f\/devcontainer-feature\.json, line 1, column 9: /,
      1,
      9,
    ],
    [
      'a local feature is too large to look at',
      { features: { './f': {} } },
      '.devcontainer/f/devcontainer-feature.json',
      `{"a":"${'x'.repeat(1024 * 1024)}"}`,
      /too-large/,
      1,
      1,
    ],
  ])('%s', async (_when, config, name, content, message, line, column) => {
    await w.write(CONFIG, config);
    await w.write(name, content);
    const snapshot = await w.files.read(w.key);
    expect(snapshot).toMatchObject({ kind: 'invalid', error: { line, column } });
    if (snapshot.kind === 'invalid') expect(snapshot.error.message).toMatch(message);
    // What is broken is watched: it is seen to be mended.
    expect(await w.files.watchDirectories(w.key)).toContain(join(w.path(name), '..'));
  });
});

describe('the contents', () => {
  it('are the texts of all inputs by their names', async () => {
    await writeAll();
    const [contents, { inputs }] = [await w.files.contents(w.key), await w.read()];
    expect(Object.keys(contents).sort()).toEqual(Object.keys(inputs));
    expect(contents['name']).toBe('"all"');
    expect(contents['dockerComposeFile']).toBe('[\n  "../compose.yaml",\n  "compose.override.yaml"\n]');
    expect(contents['./docker/Dockerfile']).toMatch(/^FROM base:1\n/);
    expect(contents['./package.json']).toBe('{}');
    expect(contents['./src/']).toMatch(/^a\/b\.ts [0-9a-f]{12}\n$/);
    expect(contents['./tools/*.sh']).toMatch(/^tools\/one\.sh [0-9a-f]{12}\n$/);
  });

  it('have no value of an env file', async () => {
    await writeAll();
    await w.write('.env', 'TAG=hidden-value\nexport OTHER="hidden-value"\n');
    const contents = await w.files.contents(w.key);
    expect(contents['./.env']).toMatch(/^TAG sha256 [0-9a-f]{12}\nOTHER sha256 [0-9a-f]{12}\n$/);
    expect(JSON.stringify(contents)).not.toContain('hidden-value');
  });

  it('have of a file outside of the workspace only its hash, however it is reached', async () => {
    const canary = 'FROM canary-image\n';
    await mkdir(join(w.root, 'outside/dir'), { recursive: true });
    for (const name of ['Dockerfile', 'file', 'dir/file', 'c.yaml', 'x.env', 'plain.env']) {
      await writeFile(
        join(w.root, 'outside', name),
        name === 'c.yaml' ? 'x-canary: canary-image\n' : name.endsWith('.env') ? 'V=canary-image\n' : canary,
      );
    }
    await w.write(CONFIG, {
      build: { dockerfile: 'Dockerfile', context: '..' },
      dockerComposeFile: ['../compose.yaml', '../linked.yaml'],
      service: 'a',
      customizations: { agentcontainers: { watch: ['/linked-*'] } },
    });
    await w.write('compose.yaml', `services:\n  a:\n    env_file: [linked.env, ${w.root}/outside/plain.env]\n`);
    await symlink(join(w.root, 'outside/c.yaml'), w.path('linked.yaml'));
    await symlink(join(w.root, 'outside/x.env'), w.path('linked.env'));
    await symlink(join(w.root, 'outside/x.env'), w.path('.env'));
    await symlink(join(w.root, 'outside/file'), w.path('linked-file'));
    await symlink(join(w.root, 'outside/dir'), w.path('linked-dir'));
    await w.write('.devcontainer/Dockerfile', 'FROM a\nCOPY linked-file linked-dir /\n');
    const contents = await w.files.contents(w.key);
    expect(JSON.stringify(contents)).not.toContain('canary');
    const outside = [
      './linked.yaml',
      './linked.env',
      './.env',
      './linked-file',
      './linked-dir/',
      join(w.root, 'outside/plain.env'),
    ];
    for (const name of outside) expect(contents[name]).toMatch(/^sha256 [0-9a-f]{12}\n$/);
    // And it counts.
    const before = await w.read();
    await writeFile(join(w.root, 'outside/file'), 'other');
    await writeFile(join(w.root, 'outside/dir/file'), 'other');
    await writeFile(join(w.root, 'outside/plain.env'), 'V=2');
    expect(differences(before, await w.read())).toEqual([
      './linked-dir/',
      './linked-file',
      join(w.root, 'outside/plain.env'),
    ]);
    await symlink(join(w.root, 'outside/Dockerfile'), w.path('.devcontainer/linked'));
    await w.write(CONFIG, { build: { dockerfile: 'linked' } });
    expect(JSON.stringify(await w.files.contents(w.key))).not.toContain('canary');
  });

  it('have neither binary nor long texts, and are none while the configuration is broken', async () => {
    await w.write(CONFIG, { build: { dockerfile: 'Dockerfile', context: '..' } });
    await w.write('.devcontainer/Dockerfile', 'FROM a\nCOPY long short nul bytes /\n');
    await w.write('long', 'x'.repeat(64 * 1024 + 1));
    await w.write('short', 'x'.repeat(64 * 1024));
    await w.write('nul', 'a\0b');
    await writeFile(w.path('bytes'), Buffer.from([0xff, 0xfe]));
    expect(Object.keys(await w.files.contents(w.key)).sort()).toEqual([
      './.devcontainer/Dockerfile',
      './short',
      'build',
    ]);
    await w.write(CONFIG, '{');
    expect(await w.files.contents(w.key)).toEqual({});
  });

  it('are bounded in all', async () => {
    const names = Array.from({ length: 20 }, (_, i) => `f${i}`);
    await w.write(CONFIG, { build: { dockerfile: 'Dockerfile', context: '..' } });
    await w.write('.devcontainer/Dockerfile', `FROM a\nCOPY ${names.join(' ')} /\n`);
    for (const name of names) await w.write(name, 'x'.repeat(50_000));
    const size = Object.values(await w.files.contents(w.key)).join('').length;
    expect(size).toBeGreaterThan(400_000);
    expect(size).toBeLessThanOrEqual(512 * 1024);
  });
});

describe('bounds', () => {
  beforeEach(async () => {
    await w.write(CONFIG, { build: { dockerfile: 'Dockerfile', context: '..' } });
    await w.write('.devcontainer/Dockerfile', 'FROM a\nCOPY many small /\n');
    await w.write('small', '1');
  });

  it('leave out a directory with too many files and say so; everything else still counts', async () => {
    await mkdir(w.path('many'));
    for (let i = 0; i < 2_001; i++) await writeFile(w.path(`many/f${i}`), '');
    const before = await w.read();
    expect(Object.keys(before.inputs)).toEqual(['./.devcontainer/Dockerfile', './small', 'build']);
    expect(before.problems).toEqual([
      './many/ is not looked at: there is more than is looked at (2000 files, 64 MiB, 20000 directory entries for one configuration).',
    ]);
    await w.write('small', '2');
    expect(differences(before, await w.read())).toEqual(['./small']);
    await rm(w.path('many/f0'));
    await rm(w.path('many/f1'));
    expect((await w.read()).problems).toEqual([]);
  });

  it('leave out what is too large', async () => {
    await mkdir(w.path('many'));
    await writeFile(w.path('many/large'), Buffer.alloc(65 * 1024 * 1024));
    const read = await w.read();
    expect(Object.keys(read.inputs)).toEqual(['./.devcontainer/Dockerfile', './small', 'build']);
    expect(read.problems).toHaveLength(1);
  });

  it('name at most 200 directories to watch, those of the configuration first, and say so', async () => {
    for (let i = 0; i < 250; i++) await w.write(`many/d${i}/f`, '');
    const directories = await w.files.watchDirectories(w.key);
    expect(directories).toHaveLength(200);
    expect(directories.slice(0, 2)).toEqual([w.folder, w.path('.devcontainer')]);
    expect((await w.read()).problems).toEqual([
      'More than 200 directories: changes in the others are not seen at once.',
    ]);
  });
});

describe('files that the user lists', () => {
  const watching = (watch: unknown): object => ({ image: 'a', customizations: { agentcontainers: { watch } } });

  it.each<[string[], string[]]>([
    [['requirements.txt'], ['./requirements.txt', './sub/requirements.txt']],
    [['/requirements.txt'], ['./requirements.txt']],
    [['sub/'], ['./sub/a.md', './sub/requirements.txt']],
    [['*.txt', '!sub/*.txt'], ['./requirements.txt']],
    [['sub/*.md', '# comment', ''], ['./sub/a.md']],
    [['**/a.*'], ['./sub/a.md']],
    [['.devcontainer/devcontainer.json'], []],
    [['gone'], []],
  ])('by %j are %j', async (watch, expected) => {
    await w.write(CONFIG, watching(watch));
    for (const name of ['requirements.txt', 'sub/requirements.txt', 'sub/a.md', 'other.js', 'node_modules/a.md'])
      await w.write(name, '1');
    await symlink('/etc/passwd', w.path('link.txt'));
    const { inputs, problems } = await w.read();
    expect(Object.keys(inputs).filter((name) => name.startsWith('./'))).toEqual(expected);
    expect(problems).toEqual([]);
  });

  it('are one input when there are many', async () => {
    await w.write(CONFIG, watching(['/many/']));
    for (let i = 0; i < 101; i++) await w.write(`many/f${i}`, '1');
    const before = await w.read();
    expect(Object.keys(before.inputs)).toEqual(['customizations', 'customizations.agentcontainers.watch', 'image']);
    await w.write('many/f7', '2');
    expect(differences(before, await w.read())).toEqual(['customizations.agentcontainers.watch']);
  });

  it.each([
    ['a text', 'x', 'customizations.agentcontainers.watch is not looked at: it must be a list of patterns.'],
    ['a list of numbers', [1], 'customizations.agentcontainers.watch is not looked at: it must be a list of patterns.'],
    [
      'what takes for ever',
      ['*a*a*a*a*a*a*b'],
      'customizations.agentcontainers.watch is not looked at: there are too many patterns, or too many * in one.',
    ],
  ])('are none when the list is %s', async (_what, list, problem) => {
    await w.write(CONFIG, watching(list));
    expect((await w.read()).problems).toEqual([problem]);
  });
});

describe('the directories to watch', () => {
  it('are those of every input, of links on the way, and of what may come', async () => {
    await writeAll();
    await mkdir(join(w.root, 'real'));
    await writeFile(join(w.root, 'real/Dockerfile'), 'FROM base:1\nCOPY not-there/file /\n');
    await rm(w.path('docker'), { recursive: true });
    await symlink(join(w.root, 'real'), w.path('docker'));
    const directories = await w.files.watchDirectories(w.key);
    const expected = [
      '.',
      '.devcontainer',
      '.devcontainer/own-feature',
      'extra',
      'more',
      'docker',
      'not-there',
      'requirements',
    ].map((name) => join(w.folder, name));
    expect(directories).toEqual(expect.arrayContaining([...expected, join(w.root, 'real')]));
    expect(directories).not.toContain(join(w.folder, 'src'));
  });

  it('are those of a copied directory, down to the last', async () => {
    await writeAll();
    expect(await w.files.watchDirectories(w.key)).toEqual(
      expect.arrayContaining(['src', 'src/a', 'tools'].map((name) => join(w.folder, name))),
    );
  });
});

describe('what tells whether a file was written', () => {
  const changedNames = (before: ValidConfig, after: ValidConfig): string[] =>
    [...new Set([...Object.keys(before.written ?? {}), ...Object.keys(after.written ?? {})])]
      .filter((name) => before.written?.[name] !== after.written?.[name])
      .sort();

  it('is there for every file that is an input, and not for the configuration itself', async () => {
    await writeAll();
    const { written = {} } = await w.read();
    expect(Object.keys(written).sort()).toEqual(INPUTS);
  });

  it.each(INPUTS)('changes for %s when it is written, though it says the same', async (input) => {
    await writeAll();
    const before = await w.read();
    const file = {
      './src/': 'src/a/b.ts',
      './tools/*.sh': 'tools/one.sh',
      './.devcontainer/own-feature/': '.devcontainer/own-feature/install.sh',
    }[input];
    const path = w.path(file ?? input);
    const text = await readFile(path, 'utf8');
    const { atime, mtime } = await stat(path);
    // A file system may count times in steps.
    await new Promise((resolve) => setTimeout(resolve, 20));
    await writeFile(path, 'in between');
    await writeFile(path, text);
    await utimes(path, atime, mtime);
    const after = await w.read();
    expect(differences(before, after)).toEqual([]);
    expect(changedNames(before, after)).toEqual([input]);
  });

  it('stays when the configuration is written, when files are read, and when others are written', async () => {
    await writeAll();
    const before = await w.read();
    await new Promise((resolve) => setTimeout(resolve, 20));
    await writeFile(w.path(CONFIG), await readFile(w.path(CONFIG)));
    await w.write('unrelated', 'x');
    await w.files.contents(w.key);
    expect(changedNames(before, await w.read())).toEqual([]);
  });

  it('changes when a link leads elsewhere, and when what decides what is copied comes', async () => {
    await w.write(CONFIG, { build: { dockerfile: 'Dockerfile' } });
    await w.write('one', 'FROM base:1\nCOPY . /\n');
    await w.write('.devcontainer/context', '');
    await symlink('../one', w.path('.devcontainer/Dockerfile'));
    const before = await w.read();
    await rm(w.path('.devcontainer/Dockerfile'));
    await new Promise((resolve) => setTimeout(resolve, 20));
    await symlink('../one', w.path('.devcontainer/Dockerfile'));
    await w.write('.devcontainer/Dockerfile.dockerignore', 'nothing');
    expect(changedNames(before, await w.read())).toEqual(
      expect.arrayContaining(['./.devcontainer/Dockerfile', './.devcontainer/Dockerfile.dockerignore']),
    );
  });
});

it('tells the latest change of all inputs', async () => {
  await writeAll();
  const old = new Date(2020, 1, 1);
  for (const entry of await readdir(w.folder, { recursive: true })) await utimes(w.path(entry), old, old);
  expect((await w.read()).modifiedAt).toBe(old.getTime());
  await w.write('src/a/b.ts', 'x');
  expect((await w.read()).modifiedAt).toBe(Math.floor((await stat(w.path('src/a/b.ts'))).mtimeMs));
});
