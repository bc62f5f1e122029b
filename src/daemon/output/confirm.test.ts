import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { canAsk, confirm } from './confirm.ts';

function terminal(typed: string) {
  const input = new PassThrough();
  const output = new PassThrough();
  input.end(typed);
  return {
    input: input as unknown as NodeJS.ReadStream,
    output: output as unknown as NodeJS.WriteStream,
    shown: () => String(output.read() ?? ''),
  };
}

test.each([
  ['y\n', true],
  ['YES\n', true],
  [' yes \n', true],
  ['\n', false],
  ['n\n', false],
  ['yeah\n', false],
  ['no yes\n', false],
  ['', false],
])('%j is taken for %s', async (typed, expected) => {
  const { shown, ...streams } = terminal(typed);
  expect(await confirm('Accept these?', streams)).toBe(expected);
  expect(shown()).toMatch(/^Accept these\? \[y\/N\] /);
});

test('nobody is asked where only one of both is a terminal', () => {
  const at = (input: boolean, output: boolean) =>
    canAsk({
      input: { isTTY: input } as unknown as NodeJS.ReadStream,
      output: { isTTY: output } as unknown as NodeJS.WriteStream,
    });
  expect([at(true, true), at(true, false), at(false, true)]).toEqual([true, false, false]);
});
