import * as fc from 'fast-check';
import { expect, it } from 'vitest';

import { parseMergedConfiguration } from './merged-configuration.ts';

function parse(value: unknown) {
  const merged = parseMergedConfiguration(JSON.stringify(value));
  return merged === undefined
    ? undefined
    : { ...merged, customizations: merged.customizations.map((layer) => ({ ...layer })) };
}

it('tells the root layer from the others in each namespace', () => {
  const merged = parse({
    configuration: { customizations: { a: { own: 1 }, c: {} } },
    workspace: { workspaceFolder: '/workspaces/x', workspaceMount: '…' },
    mergedConfiguration: {
      customizations: { a: [{ image: 1 }, { feature: 1 }, { own: 'substituted' }], b: [{ ignore: true }], c: [{}] },
      remoteUser: 'dev',
      remoteEnv: { A: 'x', B: null },
    },
    ociAuthDiagnostics: {},
  });
  expect(merged).toEqual({
    workspaceFolder: '/workspaces/x',
    remoteUser: 'dev',
    remoteEnv: { A: 'x', B: null },
    customizations: [
      { a: { image: 1 }, b: { ignore: true } },
      { a: { feature: 1 } },
      { a: { own: 'substituted' }, c: {} },
    ],
    hooks: {},
    ownHooks: {},
  });
});

it('has an empty root when there are no customizations, and stands in for what is missing', () => {
  expect(parse({ configuration: {}, mergedConfiguration: {} })).toEqual({
    workspaceFolder: '/',
    remoteEnv: {},
    customizations: [{}],
    hooks: {},
    ownHooks: {},
  });
});

it('takes the user of the container where there is no remote user', () => {
  expect(parse({ configuration: {}, mergedConfiguration: { containerUser: 'node' } })?.remoteUser).toBe('node');
});

it('counts optional fields of an unexpected shape as absent', () => {
  const merged = { remoteUser: 7, remoteEnv: 'x', customizations: [1], workspaceFolder: {} };
  expect(parse({ configuration: { customizations: 'x' }, workspace: 3, mergedConfiguration: merged })).toEqual({
    workspaceFolder: '/',
    remoteEnv: {},
    customizations: [{}],
    hooks: {},
    ownHooks: {},
  });
});

it.each([
  ['loginShell', undefined, 'loginShell'],
  ['loginShell', 'none', 'none'],
  [undefined, 'interactiveShell', 'interactiveShell'],
  [undefined, undefined, undefined],
  ['other', ['none'], undefined],
])('of profiles %j that the container was made with and %j of the file now, %j', (merged, own, expected) => {
  const configuration = { userEnvProbe: own };
  expect(parse({ configuration, mergedConfiguration: { userEnvProbe: merged } })?.userEnvProbe).toBe(expected);
});

it('gives the commands of all layers in their order, in each of their forms', () => {
  const merged = {
    onCreateCommands: ['echo feature', ['echo', 'root']],
    postCreateCommands: [{ one: 'echo 1', two: ['echo', '2'] }],
    postAttachCommands: [],
  };
  expect(parse({ configuration: {}, mergedConfiguration: merged })?.hooks).toEqual({
    onCreateCommand: ['echo feature', ['echo', 'root']],
    postCreateCommand: [{ one: 'echo 1', two: ['echo', '2'] }],
  });
});

it('leaves out what is no command, and bounds what there is', () => {
  const postStartCommands = ['', [], {}, 7, [1], { a: { b: 'x' } }, null, 'x'.repeat(100_000), 'echo x'];
  const mergedConfiguration = {
    postStartCommands,
    postAttachCommands: 'not a list',
    updateContentCommands: Array.from({ length: 1_000 }, () => 'x'),
  };
  const hooks = parse({ configuration: {}, mergedConfiguration })?.hooks;
  expect(hooks?.postStartCommand).toEqual(['echo x']);
  expect(hooks?.postAttachCommand).toBeUndefined();
  expect(hooks?.updateContentCommand).toHaveLength(100);
});

it('keeps a namespace named like a property of every object apart', () => {
  const text =
    '{"configuration":{"customizations":{}},"mergedConfiguration":{"customizations":{"constructor":[{"x":1}]}}}';
  const merged = parseMergedConfiguration(text);
  expect(merged?.customizations).toHaveLength(2);
  expect(merged?.customizations[0]?.['constructor']).toEqual({ x: 1 });
  expect(merged?.customizations[1]?.['constructor']).toBeUndefined();
});

it.each(['', '{}', '[]', 'null', '{"configuration":{}}', '{"configuration":{}'])('refuses %j', (text) => {
  expect(parseMergedConfiguration(text)).toBeUndefined();
});

it('never throws', () => {
  fc.assert(
    fc.property(
      fc.json(),
      fc.json(),
      (a, b) => void parseMergedConfiguration(`{"configuration":${a},"mergedConfiguration":${b}}`),
    ),
  );
});
