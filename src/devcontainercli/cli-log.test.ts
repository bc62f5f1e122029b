import * as fc from 'fast-check';
import { expect, it } from 'vitest';

import { parseLogLine } from './cli-log.ts';
import { parseUpResult } from './up-result.ts';

it.each([
  [
    '{"type":"raw","level":3,"timestamp":1,"text":"hello\\n","channel":"postCreate"}',
    { type: 'raw', level: 3, text: 'hello\n', inHook: true },
  ],
  ['{"type":"text","level":5,"timestamp":1,"text":"bad"}', { type: 'text', level: 5, text: 'bad', inHook: false }],
  [
    '{"type":"start","level":2,"text":"Run: docker ps","future":[1]}',
    { type: 'start', level: 2, text: 'Run: docker ps', inHook: false },
  ],
  ['{"type":"stop","text":"x"}', { type: 'stop', level: 3, text: 'x', inHook: false }],
  [
    '{"type":"progress","name":"Running postCreateCommand...","status":"running","stepDetail":"echo a"}',
    { type: 'hook', hook: 'postCreateCommand', status: 'running', detail: 'echo a' },
  ],
  [
    '{"type":"progress","name":"Running onCreateCommand...","status":"failed"}',
    { type: 'hook', hook: 'onCreateCommand', status: 'failed', detail: undefined },
  ],
])('understands %s', (line, event) => {
  expect(parseLogLine(line)).toEqual(event);
});

it.each([
  'Error: Command failed',
  '    at async x (/y.js:1:2)',
  '{"type":"unknown","text":"x"}',
  '{"type":"raw","level":3}',
  '{"type":"progress","name":"Running format c:...","status":"running"}',
  '{ truncated',
  ' {"type":"progress","name":"Running postStartCommand...","status":"running"}',
  '',
])('takes %j for noise', (line) => {
  expect(parseLogLine(line)).toEqual({ type: 'noise', text: line });
});

it('never throws', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.json(),
        fc.json().map((json) => `{"type":"raw","text":${json}}`),
      ),
      (line) => {
        parseLogLine(line);
        parseUpResult(line);
      },
    ),
  );
});

const id = 'a'.repeat(64);
it.each([
  [
    `{"outcome":"success","containerId":"${id}","remoteUser":"dev"}`,
    { outcome: 'success', containerId: id, remoteUser: 'dev' },
  ],
  [`{"outcome":"error","message":"m","description":"d"}`, { outcome: 'error', message: 'm', description: 'd' }],
  [`{"outcome":"error","containerId":"${id}"}`, { outcome: 'error', message: '', description: '', containerId: id }],
  ['{"outcome":"success"}', undefined],
  ['{"outcome":"success","containerId":"../../x"}', undefined],
  ['{"outcome":"maybe"}', undefined],
  ['{', undefined],
  ['', undefined],
])('reads the result %s', (line, result) => {
  expect(parseUpResult(line)).toEqual(result);
});
