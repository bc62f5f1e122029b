import { expect, it } from 'vitest';
import type { EntryKey } from '../agentcontainers/model/devcontainer.ts';
import type { Finding } from '../agentcontainers/model/verdict.ts';
import type { ValidConfig } from '../agentcontainers/ports.ts';
import { createFakeClock } from './fake-clock.ts';
import { createFakeConfigFiles } from './fake-config-files.ts';

const PLACE = '.devcontainer/devcontainer.json';
const keyAt = (configPath: string): EntryKey => ({ workspaceFolder: '/src/app', configPath });

function setUp() {
  const clock = createFakeClock();
  const changes: string[] = [];
  return {
    clock,
    changes,
    files: createFakeConfigFiles({ clock, onChange: (directory) => void changes.push(directory) }),
  };
}

it('gives equal values the same fingerprint, whatever their comments, white space and key order', async () => {
  const { files, clock } = setUp();
  const path = files.write('/src/app', PLACE, { image: 'one', build: { a: 1, b: 2 } });
  const before = await files.read(keyAt(path));
  await clock.advance(5);
  files.write('/src/app', PLACE, '// same\n{ "build": { "b": 2, "a": 1, }, "image": "one", }');
  const after = await files.read(keyAt(path));
  if (before.kind !== 'valid' || after.kind !== 'valid') throw new Error('both must be valid');
  expect(after.fingerprint).toBe(before.fingerprint);
  expect(after.fingerprint).toMatch(/^[0-9a-f]{64}$/);
  expect(after.inputs).toEqual(before.inputs);
  expect(after.modifiedAt).toBe(before.modifiedAt + 5);
  files.write('/src/app', PLACE, { image: 'two', build: { a: 1, b: 2 } });
  const changed = await files.read(keyAt(path));
  if (changed.kind !== 'valid') throw new Error('must be valid');
  expect(changed.fingerprint).not.toBe(before.fingerprint);
  expect(changed.inputs['build']).toBe(before.inputs['build']);
  expect(changed.inputs['image']).not.toBe(before.inputs['image']);
});

it('reads broken files with line and column, and missing ones as missing', async () => {
  const { files } = setUp();
  const path = files.write('/src/app', PLACE, '{\n  "image" "one"\n}');
  expect(await files.read(keyAt(path))).toMatchObject({ kind: 'invalid', error: { line: 2, column: 11 } });
  files.breakAt('/src/app', PLACE, { line: 7, message: 'ValueExpected' });
  expect(await files.read(keyAt(path))).toEqual({
    kind: 'invalid',
    error: { message: 'ValueExpected', line: 7, column: 1 },
  });
  files.write('/src/app', PLACE, '[]');
  expect(await files.read(keyAt(path))).toMatchObject({ kind: 'invalid' });
  files.write('/src/app', PLACE, { big: 'x'.repeat(1024 * 1024) });
  expect(await files.read(keyAt(path))).toMatchObject({ kind: 'invalid', error: { line: 1, column: 1 } });
  files.remove('/src/app', PLACE);
  expect(await files.read(keyAt(path))).toEqual({ kind: 'missing' });
});

it('tells of the directory of each change, unless it is made quietly', () => {
  const { files, changes } = setUp();
  files.write('/src/app', PLACE, {});
  files.write('/src/app', '.devcontainer.json', {}, { quietly: true });
  files.remove('/src/app', '.devcontainer.json');
  expect(changes).toEqual(['/src/app/.devcontainer', '/src/app']);
});

it('sees through symlinks, trailing slashes and dots', async () => {
  const { files } = setUp();
  files.write('/src/app', PLACE, { image: 'one' });
  files.alias('/home/me/link', '../../src');
  const key = { workspaceFolder: '/src/app', configPath: `/src/app/${PLACE}` };
  expect(await files.canonicalKey('/home/me/link/app/', PLACE)).toEqual(key);
  expect(await files.canonicalKey('/src/other/../app')).toEqual(key);
  expect(await files.realDirectory('/home/me/link/app')).toBe('/src/app');
  expect(await files.realDirectory('/src/nothing')).toBeUndefined();
  expect(await files.read(keyAt('/home/me/link/app/.devcontainer/devcontainer.json'))).toMatchObject({ kind: 'valid' });
  expect(await files.watchDirectories(key)).toEqual(['/src/app/.devcontainer', '/home/me']);
});

it('lists the places when there are several configurations or none', async () => {
  const { files } = setUp();
  expect(await files.canonicalKey('/src/app')).toEqual({ configPaths: [], folderExists: false });
  files.addDirectory('/src/app');
  expect(await files.canonicalKey('/src/app')).toEqual({ configPaths: [], folderExists: true });
  files.write('/src/app', '.devcontainer/gpu/devcontainer.json', {});
  files.write('/src/app', '.devcontainer.json', {});
  files.write('/src/app', '.devcontainer/a/b/devcontainer.json', {});
  expect(await files.canonicalKey('/src/app')).toEqual({
    configPaths: ['/src/app/.devcontainer.json', '/src/app/.devcontainer/gpu/devcontainer.json'],
    folderExists: true,
  });
});

it('does not follow a loop of symlinks for ever', async () => {
  const { files } = setUp();
  files.alias('/a', '/b');
  files.alias('/b', '/a');
  expect(await files.realDirectory('/a')).toBeUndefined();
});

it('counts further files of a configuration, and tells of their directory', async () => {
  const { files, changes, clock } = setUp();
  const key = keyAt(files.write('/src/app', PLACE, { build: { dockerfile: 'Dockerfile' } }));
  const read = async (): Promise<ValidConfig> => {
    const snapshot = await files.read(key);
    if (snapshot.kind !== 'valid') throw new Error('must be valid');
    return snapshot;
  };
  const without = await read();
  await clock.advance(5);
  files.addInput('/src/app', PLACE, './docker/Dockerfile', 'FROM a');
  const first = await read();
  expect(Object.keys(first.inputs)).toEqual(['build', './docker/Dockerfile']);
  expect(first.fingerprint).not.toBe(without.fingerprint);
  expect(first.modifiedAt).toBe(without.modifiedAt + 5);
  expect(changes.at(-1)).toBe('/src/app/docker');
  expect(await files.watchDirectories(key)).toEqual(['/src/app/.devcontainer', '/src/app/docker']);
  expect(await files.contents(key)).toMatchObject({ './docker/Dockerfile': 'FROM a' });
  files.addInput('/src/app', PLACE, './docker/Dockerfile', 'FROM a', { quietly: true });
  expect(await read()).toMatchObject({ fingerprint: first.fingerprint });
  expect((await read()).written).not.toEqual(first.written);
  files.addInput('/src/app', PLACE, './docker/Dockerfile', 'FROM b', { quietly: true });
  expect((await read()).inputs['./docker/Dockerfile']).not.toBe(first.inputs['./docker/Dockerfile']);
  expect(changes).toHaveLength(2);
  files.addInput('/src/app', PLACE, './docker/Dockerfile', undefined);
  expect((await read()).fingerprint).toBe(without.fingerprint);
});

it('finds what a test says, and nothing otherwise', async () => {
  const { files } = setUp();
  const key = keyAt(files.write('/src/app', PLACE, { image: 'one' }));
  const finding: Finding = { kind: 'mount', detail: '/', source: `./${PLACE}` };
  expect(await files.read(key)).toMatchObject({ findings: [], images: ['one'], problems: [] });
  expect(files.imageFindings('one', {})).toEqual([]);
  files.asks('/src/app', PLACE, [finding]);
  files.imageAsks('one', [finding]);
  expect(await files.read(key)).toMatchObject({ findings: [finding] });
  expect(files.imageFindings('one', {})).toEqual([finding]);
});
