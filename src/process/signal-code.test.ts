import { constants } from 'node:os';
import { expect, test } from 'vitest';
import { signalCode } from './signal-code.ts';

test.skipIf(process.platform !== 'linux')('the codes are those of Linux', () => {
  for (const [name, number] of Object.entries(constants.signals)) {
    // Other names of the same.
    if (['SIGIOT', 'SIGPOLL', 'SIGUNUSED'].includes(name)) continue;
    expect([name, signalCode(name)]).toEqual([name, 128 + number]);
  }
});

test.each([
  ['SIGTERM', 143],
  ['SIGXCPU', 152],
  ['SIG35', 163],
  ['SIG64', 192],
  ['SIG65', undefined],
  ['SIG9', undefined],
  ['TERM', undefined],
  ['SIGNOTHING', undefined],
  ['', undefined],
])('of %j it is %s', (name, code) => {
  expect(signalCode(name)).toBe(code);
});
