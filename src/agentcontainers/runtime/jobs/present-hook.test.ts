import { expect, it } from 'vitest';
import type { MergedConfiguration } from '../../ports.ts';
import { presentHook } from './present-hook.ts';

const HOOK = 'postCreateCommand';
const feature = { id: 'f', postCreateCommand: 'of feature' };

it.each<[string, unknown, readonly string[], string | undefined, readonly string[]]>([
  ['the one from before is replaced', [{ postCreateCommand: 'old' }], ['old'], 'new', ['new']],
  [
    'those of features stay',
    [feature, { postCreateCommand: 'old' }],
    ['of feature', 'old'],
    'new',
    ['of feature', 'new'],
  ],
  [
    'one that there was none of is added',
    [feature, { remoteUser: 'dev' }],
    ['of feature'],
    'new',
    ['of feature', 'new'],
  ],
  [
    'one that is not there any more is left out',
    [feature, { postCreateCommand: 'old' }],
    ['of feature', 'old'],
    undefined,
    ['of feature'],
  ],
  ['an empty one was never merged', [{ postCreateCommand: '' }], [], 'new', ['new']],
  ['a label that ends with a feature says nothing of it', [feature], ['of feature'], 'new', ['of feature']],
  ['a label that is none is no reason', 'garbage', ['merged'], 'new', ['merged']],
])('%s', (_what, label, merged, own, expected) => {
  const configuration = {
    hooks: { [HOOK]: merged },
    ownHooks: own === undefined ? {} : { [HOOK]: own },
  } as unknown as MergedConfiguration;
  const text = typeof label === 'string' ? label : JSON.stringify(label);
  expect(presentHook(configuration, HOOK, { 'devcontainer.metadata': text })).toEqual(expected);
});

it('without a label, or without the file, what was merged runs', () => {
  const merged = { hooks: { [HOOK]: ['a'] }, ownHooks: { [HOOK]: 'b' } } as unknown as MergedConfiguration;
  expect(presentHook(merged, HOOK, {})).toEqual(['a']);
  expect(presentHook({ ...merged, ownHooks: undefined }, HOOK, { 'devcontainer.metadata': '[{}]' })).toEqual(['a']);
});
