import { execFileSync } from 'node:child_process';
import { cp, mkdir, mkdtemp, realpath, rename, rm, symlink, unlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import type { ConfigSnapshot } from '../agentcontainers/ports.ts';
import { createConfigFiles } from './config-files.ts';

const files = createConfigFiles();
let root: string;
beforeEach(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), 'config-files-')));
});
afterEach(() => rm(root, { recursive: true, force: true }));

async function write(path: string, text = '{ "image": "some:1" }'): Promise<string> {
  const file = join(root, path);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, text);
  return file;
}

/** The file as a configuration of the folder that all of a test lies in. */
function read(configPath: string): Promise<ConfigSnapshot> {
  return files.read({ workspaceFolder: root, configPath });
}

function valid(snapshot: ConfigSnapshot) {
  if (snapshot.kind !== 'valid') throw new Error(JSON.stringify(snapshot));
  return snapshot;
}

describe('the key', () => {
  it('is the same through trailing slashes, dots and symbolic links to the folder', async () => {
    const config = await write('w/.devcontainer/devcontainer.json');
    await symlink(join(root, 'w'), join(root, 'link'));
    const key = { workspaceFolder: join(root, 'w'), configPath: config };
    for (const folder of ['w', 'w/', 'w/../w/.', 'link', 'link/']) {
      const given = `${root}/${folder}`;
      expect(await files.canonicalKey(given)).toEqual(key);
      expect(await files.canonicalKey(given, '.devcontainer/devcontainer.json')).toEqual(key);
      expect(await files.canonicalKey(given, config)).toEqual(key);
      expect(await files.canonicalKey(given, `${root}/link/.devcontainer/devcontainer.json`)).toEqual(key);
    }
  });

  it.each(['.devcontainer/devcontainer.json', '.devcontainer.json', '.devcontainer/name/devcontainer.json'])(
    'is found at %s when it is the only one',
    async (place) => {
      const configPath = await write(`w/${place}`);
      expect(await files.canonicalKey(join(root, 'w'))).toEqual({ workspaceFolder: join(root, 'w'), configPath });
    },
  );

  it('is a list in the order of the specification when there are several and none is named', async () => {
    const places = ['.devcontainer/b/devcontainer.json', '.devcontainer.json', '.devcontainer/a/devcontainer.json'];
    const [b, top, a] = await Promise.all(places.map((place) => write(`w/${place}`)));
    await write('w/.devcontainer/a/deeper/devcontainer.json');
    await write('w/.devcontainer/a/devcontainer.json~');
    expect(await files.canonicalKey(join(root, 'w'))).toEqual({ configPaths: [top, a, b], folderExists: true });
    expect(await files.canonicalKey(join(root, 'w'), '.devcontainer/b/devcontainer.json')).toEqual({
      workspaceFolder: join(root, 'w'),
      configPath: b,
    });
  });

  it('is an empty list for a folder without configuration and for one that does not exist', async () => {
    await mkdir(join(root, 'w'));
    expect(await files.canonicalKey(join(root, 'w'))).toEqual({ configPaths: [], folderExists: true });
    expect(await files.canonicalKey(join(root, 'gone'))).toEqual({ configPaths: [], folderExists: false });
  });

  it('stays what it was when the folder vanishes', async () => {
    const config = await write('w/.devcontainer/devcontainer.json');
    const before = await files.canonicalKey(join(root, 'w'), config);
    await rm(join(root, 'w'), { recursive: true });
    expect(await files.canonicalKey(`${root}/w/../w/`, config)).toEqual(before);
    expect(await files.canonicalKey(join(root, 'w'), '.devcontainer/devcontainer.json')).toEqual(before);
  });

  it('keeps the name that a linked configuration has in the workspace, whichever way it is named', async () => {
    const shared = await write('shared/common.json');
    const place = join(root, 'w/.devcontainer/devcontainer.json');
    await mkdir(dirname(place), { recursive: true });
    await symlink(shared, place);
    const key = { workspaceFolder: join(root, 'w'), configPath: place };
    expect(await files.canonicalKey(join(root, 'w'))).toEqual(key);
    expect(await files.canonicalKey(join(root, 'w'), shared)).toEqual(key);
  });

  it('counts two names of one file in a folder once', async () => {
    const configPath = await write('w/.devcontainer/devcontainer.json');
    await symlink('.devcontainer/devcontainer.json', join(root, 'w/.devcontainer.json'));
    const key = { workspaceFolder: join(root, 'w'), configPath };
    expect(await files.canonicalKey(join(root, 'w'))).toEqual(key);
    expect(await files.canonicalKey(join(root, 'w'), '.devcontainer.json')).toEqual(key);
  });

  it('takes a configuration outside of the workspace by its real path', async () => {
    await mkdir(join(root, 'w'));
    const configPath = await write('real/devcontainer.json');
    await symlink('real', join(root, 'linked'));
    const expected = { workspaceFolder: join(root, 'w'), configPath };
    expect(await files.canonicalKey(join(root, 'w'), join(root, 'linked/devcontainer.json'))).toEqual(expected);
  });
});

it('knows real directories', async () => {
  const file = await write('w/x');
  await symlink('w', join(root, 'link'));
  expect(await files.realDirectory(join(root, 'link/'))).toBe(join(root, 'w'));
  expect(await files.realDirectory(file)).toBeUndefined();
  expect(await files.realDirectory(join(root, 'gone'))).toBeUndefined();
});

describe('reading', () => {
  it('gives value, fingerprint and a hash of each property', async () => {
    const one = valid(await read(await write('one.json', '// x\n{ "image": "a", "name": "n", }')));
    const two = valid(await read(await write('two.json', '{"name":"n","image":"b"}')));
    expect(one.config).toEqual({ image: 'a', name: 'n' });
    expect(one.fingerprint).toMatch(/^[0-9a-f]{64}$/);
    expect(two.fingerprint).not.toBe(one.fingerprint);
    expect(Object.keys(one.inputs)).toEqual(['image', 'name']);
    expect(two.inputs['name']).toBe(one.inputs['name']);
    expect(two.inputs['image']).not.toBe(one.inputs['image']);
    await writeFile(join(root, 'two.json'), '{ /* back */ "image": "a", "name": "n" }');
    expect(valid(await read(join(root, 'two.json'))).fingerprint).toBe(one.fingerprint);
  });

  it('tells line and column of a fault', async () => {
    const path = join(
      import.meta.dirname,
      '../../test/fixtures/devcontainers/broken-json/.devcontainer/devcontainer.json',
    );
    expect(await read(path)).toMatchObject({ kind: 'invalid', error: { line: 4, column: 44 } });
  });

  it.each([
    ['too large', `{ "a": "${'x'.repeat(1024 * 1024)}" }`, 'larger than 1 MiB'],
    ['empty', '', 'value expected'],
    ['not UTF-8', Buffer.from([0x7b, 0xff, 0x7d]), 'not valid UTF-8'],
  ])('refuses a file that is %s', async (_, content, message) => {
    await writeFile(join(root, 'c.json'), content);
    expect(await read(join(root, 'c.json'))).toEqual({ kind: 'invalid', error: { message, line: 1, column: 1 } });
  });

  it('takes a file of just 1 MiB', async () => {
    const text = `{ "a": "${'x'.repeat(1024 * 1024 - 11)}" }`;
    expect((await read(await write('c.json', text))).kind).toBe('valid');
  });

  it('refuses what is not a regular file, without waiting for it', async () => {
    await mkdir(join(root, 'directory'));
    execFileSync('mkfifo', [join(root, 'pipe')]);
    await symlink('loop', join(root, 'loop'));
    for (const name of ['directory', 'pipe', 'loop']) expect((await read(join(root, name))).kind).toBe('invalid');
  });

  it('finds missing what is not there', async () => {
    await write('file');
    expect(await read(join(root, 'gone.json'))).toEqual({ kind: 'missing' });
    expect(await read(join(root, 'file/devcontainer.json'))).toEqual({ kind: 'missing' });
  });

  it('tells when it was changed, also by leading a link elsewhere', async () => {
    const file = await write('old.json');
    const old = new Date(2020, 1, 1);
    await utimes(file, old, old);
    expect(valid(await read(file)).modifiedAt).toBe(old.getTime());
    await symlink('old.json', join(root, 'link.json'));
    expect(valid(await read(join(root, 'link.json'))).modifiedAt).toBeGreaterThan(old.getTime());
  });
});

describe('the directories to watch', () => {
  it('are the folder and each directory down to the file, also when they are not there', async () => {
    const key = { workspaceFolder: join(root, 'w'), configPath: join(root, 'w/.devcontainer/a/devcontainer.json') };
    const expected = [join(root, 'w'), join(root, 'w/.devcontainer'), join(root, 'w/.devcontainer/a')];
    await write('w/.devcontainer/a/devcontainer.json');
    expect(await files.watchDirectories(key)).toEqual(expected);
    await rm(join(root, 'w/.devcontainer'), { recursive: true });
    expect(await files.watchDirectories(key)).toEqual(expected);
  });

  it('are the folder alone for a configuration in it', async () => {
    const configPath = await write('w/.devcontainer.json');
    expect(await files.watchDirectories({ workspaceFolder: join(root, 'w'), configPath })).toEqual([join(root, 'w')]);
  });

  it('are where a linked directory and a linked file lead, over each hop', async () => {
    await write('shared/config/real.json');
    await mkdir(join(root, 'w'));
    await mkdir(join(root, 'hop'));
    await symlink('../shared/config/real.json', join(root, 'hop/devcontainer.json'));
    await symlink(join(root, 'hop'), join(root, 'w/.devcontainer'));
    const key = { workspaceFolder: join(root, 'w'), configPath: join(root, 'w/.devcontainer/devcontainer.json') };
    const expected = [join(root, 'w'), join(root, 'w/.devcontainer'), join(root, 'hop'), join(root, 'shared/config')];
    expect(await files.watchDirectories(key)).toEqual(expected);
    expect(valid(await read(key.configPath)).config).toEqual({ image: 'some:1' });

    await cp(join(root, 'shared'), join(root, 'other'), { recursive: true });
    await write('other/config/devcontainer.json', '{ "image": "other:1" }');
    await symlink(join(root, 'other/config'), join(root, 'new-link'));
    await unlink(join(root, 'w/.devcontainer'));
    await rename(join(root, 'new-link'), join(root, 'w/.devcontainer'));
    expect(valid(await read(key.configPath)).config).toEqual({ image: 'other:1' });
    expect(await files.watchDirectories(key)).toContain(join(root, 'other/config'));
  });

  it('end for links that go in a circle', async () => {
    await mkdir(join(root, 'w'));
    await symlink('.devcontainer', join(root, 'w/.devcontainer'));
    const key = { workspaceFolder: join(root, 'w'), configPath: join(root, 'w/.devcontainer/devcontainer.json') };
    expect(await files.watchDirectories(key)).toEqual([join(root, 'w'), join(root, 'w/.devcontainer')]);
  });
});
