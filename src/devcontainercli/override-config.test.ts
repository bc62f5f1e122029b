import { expect, it } from 'vitest';

import { isComposeConfig, overrideConfig, runArgsFor, unfitConfig } from './override-config.ts';
import { parseStrictJsonc } from './strict-jsonc.ts';

const unchanged = { withoutInitializeCommand: false, workspaceMount: {} };

it('is the configuration itself when nothing is to be changed', () => {
  const config = { name: 'x', image: 'y', runArgs: ['-v', 'x'], initializeCommand: 'z' };
  const result = overrideConfig(config, unchanged);
  expect(JSON.stringify(result)).toBe(JSON.stringify(config));
});

it('leaves out the command for the host, and only that', () => {
  const config = { initializeCommand: ['a'], image: 'y', features: { x: { initializeCommand: 'stays' } } };
  expect(overrideConfig(config, { ...unchanged, withoutInitializeCommand: true })).toEqual({
    image: 'y',
    features: { x: { initializeCommand: 'stays' } },
  });
});

it('adds mount, arguments after the own ones, and compose files', () => {
  const workspaceMount = { workspaceFolder: '/w', workspaceMount: 'm' };
  const changes = { ...unchanged, workspaceMount, runArgs: ['--label', 'a=b'] };
  expect(overrideConfig({ runArgs: ['own'] }, changes)).toEqual({
    ...workspaceMount,
    runArgs: ['own', '--label', 'a=b'],
  });
  expect(overrideConfig({ runArgs: null }, changes)).toMatchObject({ runArgs: ['--label', 'a=b'] });
  expect(overrideConfig({ dockerComposeFile: 'a' }, { ...unchanged, dockerComposeFile: ['a', '/b'] })).toEqual({
    dockerComposeFile: ['a', '/b'],
  });
});

it('keeps a property with an odd name', () => {
  const parsed = parseStrictJsonc('{ "__proto__": { "x": 1 }, "image": "y" }');
  if (!parsed.ok) throw new Error('not parsed');
  expect(JSON.stringify(overrideConfig(parsed.value, unchanged))).toBe('{"__proto__":{"x":1},"image":"y"}');
});

it('makes arguments of labels and mounts', () => {
  expect(runArgsFor({ a: 'b=c' }, [{ source: '/s, t', target: '/x' }])).toEqual([
    ...['--label', 'a=b=c'],
    ...['--mount', 'type=bind,"source=/s, t",target=/x,readonly'],
  ]);
});

it.each([
  [{ dockerComposeFile: 'x' }, true],
  [{ dockerComposeFile: [] }, true],
  [{ dockerComposeFile: 'x', image: 'y' }, false],
  [{ dockerComposeFile: 'x', build: { dockerfile: 'z' } }, false],
  [{ dockerComposeFile: 'x', dockerFile: 'z' }, false],
  [{ dockerComposeFile: 'x', build: {} }, true],
  [{ image: 'y' }, false],
])('tells by what the CLI makes the container of %j', (config, expected) => {
  expect(isComposeConfig(config)).toBe(expected);
});

it.each([
  [{ runArgs: '--privileged' }, '/w', /runArgs is not a list of texts/],
  [{ runArgs: ['a', 1] }, '/w', /runArgs is not a list of texts/],
  [{ image: 'x' }, '/a=b', /a path that contains `=`/],
])('refuses %j in %s', (config, folder, reason) => {
  expect(unfitConfig(config, folder, `${folder}/devcontainer.json`)).toMatch(reason);
});

it('takes anything else', () => {
  expect(unfitConfig({ runArgs: ['a'] }, '/w', '/w/c')).toBeUndefined();
  expect(unfitConfig({ runArgs: null }, '/w', '/w/c')).toBeUndefined();
  expect(unfitConfig({ dockerComposeFile: 'x' }, '/a=b', '/a=b/c')).toBeUndefined();
});
