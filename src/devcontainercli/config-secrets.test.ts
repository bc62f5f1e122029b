import { expect, it } from 'vitest';
import { secretsOf } from './config-secrets.ts';

it.each<[string, Record<string, unknown>, readonly string[]]>([
  ['the environment of the container', { containerEnv: { GITHUB_TOKEN: 's3cret', PATH: '/bin' } }, ['s3cret']],
  ['the environment of commands', { remoteEnv: { DB_PASSWORD: 's3cret', A: null } }, ['s3cret']],
  ['arguments of the build', { build: { args: { NPM_TOKEN: 's3cret', VERSION: '7' } } }, ['s3cret']],
  ['options of features', { features: { './a': { apiKey: 's3cret', version: '1' }, './b': 'latest' } }, ['s3cret']],
  [
    'arguments for the engine',
    { runArgs: ['-e', 'A_TOKEN=one', '--env=B_TOKEN=two', '-eC_TOKEN=three', '--init'] },
    ['one', 'two', 'three'],
  ],
  ['options of the build', { build: { options: ['--build-arg', 'TOKEN=s3cret', '--no-cache'] } }, ['s3cret']],
  ['nothing', { image: 'x', secrets: { TOKEN: { description: 'what for' } }, containerEnv: { TOKEN: 7 } }, []],
  ['no objects', { containerEnv: 'TOKEN=x', remoteEnv: ['TOKEN=x'], build: null, features: 7, runArgs: 'TOKEN=x' }, []],
  ['one value twice', { containerEnv: { A_TOKEN: 'same' }, remoteEnv: { B_TOKEN: 'same' } }, ['same']],
])('secrets of a configuration are those in %s', (_where, config, expected) => {
  expect(secretsOf(config)).toEqual(expected);
});

it('are bounded', () => {
  const containerEnv = Object.fromEntries(Array.from({ length: 500 }, (_, n) => [`TOKEN_${n}`, `value-${n}`]));
  expect(secretsOf({ containerEnv })).toHaveLength(100);
  expect(secretsOf({ containerEnv: { TOKEN: 'x'.repeat(20_000) } })).toEqual([]);
});
