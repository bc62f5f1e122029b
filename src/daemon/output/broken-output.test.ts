import { EventEmitter } from 'node:events';
import { expect, onTestFinished, test } from 'vitest';
import { onBrokenOutput } from './broken-output.ts';

function setUp(policy: 'end' | 'go on') {
  const exits: number[] = [];
  const said: string[] = [];
  const stdout = new EventEmitter();
  const stderr = Object.assign(new EventEmitter(), { write: (text: string) => said.push(text) });
  onBrokenOutput(policy, { stdout, stderr }, (code) => exits.push(code));
  onTestFinished(() => void onBrokenOutput('go on', { stdout: new EventEmitter(), stderr }));
  const fail = (code: string): void => {
    stdout.emit('error', Object.assign(new Error(`${code}: it broke, write`), { code }));
  };
  return { exits, said, stdout, stderr, fail };
}

test('a reader that has seen enough is no failure', () => {
  const { fail, exits, said } = setUp('end');
  fail('EPIPE');
  expect([exits, said]).toEqual([[0], []]);
});

test('a full disk is one, and told in a line', () => {
  const { fail, exits, said } = setUp('end');
  fail('ENOSPC');
  expect([exits, said]).toEqual([[1], ['error: Writing the output failed: ENOSPC: it broke, write.\n']]);
});

test('a daemon goes on whatever becomes of its output', () => {
  const { fail, exits, said, stderr } = setUp('go on');
  fail('EPIPE');
  fail('ENOSPC');
  stderr.emit('error', new Error('x'));
  expect([exits, said]).toEqual([[], []]);
});

test('the latest policy counts', () => {
  const { stdout, stderr, exits, fail } = setUp('end');
  onBrokenOutput('go on', { stdout, stderr }, (code) => exits.push(code));
  fail('EPIPE');
  expect(exits).toEqual([]);
});

test('the policy before can come back', () => {
  const { stdout, stderr, exits, fail } = setUp('end');
  const restore = onBrokenOutput('end', { stdout, stderr }, () => exits.push(7));
  fail('EPIPE');
  restore();
  fail('EPIPE');
  expect(exits).toEqual([7, 0]);
  expect(stdout.listenerCount('error')).toBe(1);
});
