import { expect, it } from 'vitest';

import { parseBuildResult } from './build-result.ts';

it.each([
  ['{"outcome":"success","imageName":"a:1"}', { outcome: 'success', imageName: ['a:1'] }],
  ['{"outcome":"success","imageName":["a:1","b:1"],"x":1}', { outcome: 'success', imageName: ['a:1', 'b:1'] }],
  ['{"outcome":"error","message":"m","description":7}', { outcome: 'error', message: 'm', description: '' }],
  ['{"outcome":"success","imageName":[]}', undefined],
  ['{"outcome":"success","imageName":""}', undefined],
  ['{"outcome":"success","imageName":7}', undefined],
  ['{"outcome":"succ', undefined],
  ['', undefined],
])('reads %s', (line, expected) => {
  expect(parseBuildResult(line)).toEqual(expected);
});
