import { fc, test } from '@fast-check/vitest';
import { describe, expect, it } from 'vitest';
import { chooseName, folderNames, safeName } from './names.ts';

const NAME = /^[a-z0-9]+(-[a-z0-9]+)*$/;
const path = fc.oneof(
  fc.array(fc.string({ maxLength: 80, unit: 'binary' }), { maxLength: 9 }).map((parts) => `/${parts.join('/')}`),
  fc.array(fc.constantFrom('app', 'App', '___', '', 'x'.repeat(70), 'ünï'), { maxLength: 9 }).map((p) => p.join('/')),
  fc.string(),
);

describe('safeName', () => {
  it.each([
    ['app', 'app'],
    ['My App', 'my-app'],
    ['my__app..v2', 'my-app-v2'],
    ['--app--', 'app'],
    ['.hidden', 'hidden'],
    ['ünïcode', 'n-code'],
    ['日本', ''],
    ['', ''],
    ['x'.repeat(100), 'x'.repeat(64)],
    [`${'x'.repeat(63)}-y`, 'x'.repeat(63)],
    ['a/../b', 'a-b'],
  ])('makes of %j the name %j', (text, name) => expect(safeName(text)).toBe(name));

  test.prop([fc.string({ unit: 'binary', maxLength: 200 })])('keeps only what is allowed', (text) => {
    const name = safeName(text);
    expect(name.length).toBeLessThanOrEqual(64);
    if (name !== '') expect(name).toMatch(NAME);
    expect(safeName(name)).toBe(name);
  });
});

describe('folderNames', () => {
  it.each([
    ['/home/me/src/app', ['app', 'src-app', 'me-src-app', 'home-me-src-app']],
    ['/app/', ['app']],
    ['C:\\src\\app', ['app', 'src-app', 'c-src-app']],
    ['/', ['workspace']],
    ['/日本/', ['workspace']],
    ['/src/日本/app', ['app', 'src-app']],
    ['/1/2/3/4/5/6/7/8', ['8', '7-8', '6-7-8', '5-6-7-8', '4-5-6-7-8', '3-4-5-6-7-8']],
  ])('of %s are %j', (folder, names) => expect(folderNames(folder)).toEqual(names));
});

describe('chooseName', () => {
  it('prepends parent folders while the name is taken', () => {
    expect(chooseName('/w/x/app', new Set())).toBe('app');
    expect(chooseName('/w/x/app', new Set(['app']))).toBe('x-app');
    expect(chooseName('/w/x/app', new Set(['app', 'x-app']))).toBe('w-x-app');
  });

  it('adds a number to the longest when all are taken', () => {
    expect(chooseName('/x/app', new Set(['app', 'x-app']))).toBe('x-app-2');
    expect(chooseName('/x/app', new Set(['app', 'x-app', 'x-app-2', 'x-app-3']))).toBe('x-app-4');
  });

  it('keeps within the length also with a number', () => {
    const folder = `/${'x'.repeat(64)}`;
    expect(chooseName(folder, new Set(['x'.repeat(64)]))).toBe(`${'x'.repeat(62)}-2`);
  });

  test.prop([path, fc.nat(12)])('gives a safe name that is not taken, the same each time', (folder, collisions) => {
    const taken = new Set<string>();
    for (let round = 0; round <= collisions; round++) {
      const name = chooseName(folder, taken);
      expect(name).toMatch(NAME);
      expect(name.length).toBeLessThanOrEqual(64);
      expect(taken.has(name)).toBe(false);
      expect(chooseName(folder, taken)).toBe(name);
      taken.add(name);
    }
  });
});
