import { describe, expect, it } from 'vitest';
import { remoteEnvironment } from './remote-environment.ts';

describe('remoteEnvironment', () => {
  it.each<[string, Record<string, string | null>, string[], Record<string, string>]>([
    ['keeps plain values', { EDITOR: 'vi', EMPTY: '' }, [], { EDITOR: 'vi', EMPTY: '' }],
    ['leaves out what is null', { EDITOR: null }, ['EDITOR=vi'], {}],
    [
      'fills in variables of the container',
      { PATH: '/opt/bin:${containerEnv:PATH}', BOTH: '${containerEnv:A}${containerEnv:B}' },
      ['PATH=/usr/bin:/bin', 'A=1', 'B=2'],
      { PATH: '/opt/bin:/usr/bin:/bin', BOTH: '12' },
    ],
    [
      'takes the default of a variable that the container does not have, else nothing',
      { A: '${containerEnv:A:one}', B: '${containerEnv:B}', C: '${containerEnv:C:http://x:80}' },
      ['X=1'],
      { A: 'one', B: '', C: 'http://x:80' },
    ],
    ['does not take the default of a variable that is empty', { A: '${containerEnv:A:one}' }, ['A='], { A: '' }],
    ['takes a variable without a value for an empty one', { A: '${containerEnv:A:one}' }, ['A'], { A: '' }],
    ['keeps all of a value with equal signs', { A: '${containerEnv:A}' }, ['A=x=y=z'], { A: 'x=y=z' }],
    [
      'takes values of the container as they are: nothing in them is filled in again',
      { A: '${containerEnv:A}' },
      ['A=${containerEnv:B} $& $1', 'B=2'],
      { A: '${containerEnv:B} $& $1' },
    ],
    [
      'leaves other variables alone',
      { A: '${localEnv:HOME} ${env:HOME} $HOME ${containerEnv:' },
      ['HOME=/root'],
      { A: '${localEnv:HOME} ${env:HOME} $HOME ${containerEnv:' },
    ],
    ['does not take names of objects for variables', { A: '${containerEnv:constructor:x}' }, [], { A: 'x' }],
  ])('%s', (_what, remoteEnv, containerEnv, expected) => {
    expect(remoteEnvironment(remoteEnv, containerEnv)).toEqual(expected);
  });
});
