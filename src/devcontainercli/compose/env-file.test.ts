import { expect, it } from 'vitest';
import { readEnvFile } from './env-file.ts';

const read = (text: string): unknown => {
  const { values, isAmbiguous } = readEnvFile(text);
  return isAmbiguous ? ['ambiguous', ...values] : [...values];
};

it.each<[string, unknown]>([
  [
    'A=1\nB=x/y.z:1\n',
    [
      ['A', '1'],
      ['B', 'x/y.z:1'],
    ],
  ],
  ["# comment, isn't it\n\n  # x\nexport A=1", [['A', '1']]],
  [
    'A="1"\nB=\'2\'',
    [
      ['A', '1'],
      ['B', '2'],
    ],
  ],
  ['A=', [['A', '']]],
  ['A=a=b', [['A', 'a=b']]],
  ['A=1\nA=1', [['A', '1']]],
])('%j says %j', (text, expected) => expect(read(text)).toEqual(expected));

// Readers of env files do not agree about these.
it.each<[string, unknown]>([
  ['A=1\nA=2', [['A', undefined]]],
  ['A=.#/..', [['A', undefined]]],
  ['A=1 # comment', [['A', undefined]]],
  ['A=1 ', [['A', undefined]]],
  ['A = 1', [['A', undefined]]],
  ['A: 1', [['A', undefined]]],
  ['A', [['A', undefined]]],
  ['A=$B', [['A', undefined]]],
  ['A="$B"\nC=1', ['ambiguous', ['A', undefined], ['C', undefined]]],
  ['A="\nB=1\n"', ['ambiguous', ['A', undefined], ['B', undefined]]],
  ['A=\\\nB=1', ['ambiguous', ['A', undefined], ['B', undefined]]],
  ["A='1'2\nB=1", ['ambiguous', ['A', undefined], ['B', undefined]]],
  ['A=1\r\nB=2', ['ambiguous', ['A', undefined], ['B', undefined]]],
  ['# x\rA=1', ['ambiguous']],
  ['1A=1', ['ambiguous']],
  [
    '\ufeffA=1\nB=1',
    [
      ['A', undefined],
      ['B', '1'],
    ],
  ],
])('%j is not known: %j', (text, expected) => expect(read(text)).toEqual(expected));
