import { expect, it } from 'vitest';
import { createFakeClock } from './fake-clock.ts';
import { createFakeConfigFiles } from './fake-config-files.ts';

const PLACE = '.devcontainer/devcontainer.json';

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
  const before = await files.read(path);
  await clock.advance(5);
  files.write('/src/app', PLACE, '// same\n{ "build": { "b": 2, "a": 1, }, "image": "one", }');
  const after = await files.read(path);
  if (before.kind !== 'valid' || after.kind !== 'valid') throw new Error('both must be valid');
  expect(after.fingerprint).toBe(before.fingerprint);
  expect(after.fingerprint).toMatch(/^[0-9a-f]{64}$/);
  expect(after.properties).toEqual(before.properties);
  expect(after.modifiedAt).toBe(before.modifiedAt + 5);
  files.write('/src/app', PLACE, { image: 'two', build: { a: 1, b: 2 } });
  const changed = await files.read(path);
  if (changed.kind !== 'valid') throw new Error('must be valid');
  expect(changed.fingerprint).not.toBe(before.fingerprint);
  expect(changed.properties['build']).toBe(before.properties['build']);
  expect(changed.properties['image']).not.toBe(before.properties['image']);
});

it('reads broken files with line and column, and missing ones as missing', async () => {
  const { files } = setUp();
  const path = files.write('/src/app', PLACE, '{\n  "image" "one"\n}');
  expect(await files.read(path)).toMatchObject({ kind: 'invalid', error: { line: 2, column: 11 } });
  files.breakAt('/src/app', PLACE, { line: 7, message: 'ValueExpected' });
  expect(await files.read(path)).toEqual({
    kind: 'invalid',
    error: { message: 'ValueExpected', line: 7, column: 1 },
  });
  files.write('/src/app', PLACE, '[]');
  expect(await files.read(path)).toMatchObject({ kind: 'invalid' });
  files.write('/src/app', PLACE, { big: 'x'.repeat(1024 * 1024) });
  expect(await files.read(path)).toMatchObject({ kind: 'invalid', error: { line: 1, column: 1 } });
  files.remove('/src/app', PLACE);
  expect(await files.read(path)).toEqual({ kind: 'missing' });
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
  expect(await files.read('/home/me/link/app/.devcontainer/devcontainer.json')).toMatchObject({ kind: 'valid' });
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
