import { expect, it } from 'vitest';

import { firstSentence, isStackFrame, plainText, shorten } from './plain-text.ts';

it.each([
  ['\u001b[1m\u001b[31mred\u001b[39m\u001b[22m\r\n', 'red\n'],
  ['\u001b]8;;http://evil\u0007link\u001b]8;;\u0007', 'link'],
  ['10%\r50%\r100%\nnext', '100%\nnext'],
  ['done\r\r\n', 'done\n'],
  ['a\u0000b\u0085c\u0008d', 'abcd'],
  ['tab\tstays', 'tab\tstays'],
])('makes %j plain', (text, plain) => {
  expect(plainText(text)).toBe(plain);
});

it.each([
  ['    at async kW (/x/cli.js:488:4689)', true],
  ['    at Object.<anonymous> (/x/a.js:1:2)', true],
  ['    at /x/a.js:1:2', true],
  ['look at async code', false],
  ['at the end: 1', false],
  ['installing at /x', false],
])('tells a stack frame from output: %j', (line, frame) => {
  expect(isStackFrame(line)).toBe(frame);
});

it.each([
  ['Error: Dev container config (/x) not found.\n    at F9 (/x/y.js:1:2)', 'Dev container config (/x) not found.'],
  ['\n\u001b[31mCommand failed: docker pull x\u001b[39m', 'Command failed: docker pull x'],
  ['TypeError: broken', 'broken'],
  ['', ''],
])('finds the sentence in %j', (text, sentence) => {
  expect(firstSentence(text)).toBe(sentence);
});

it('shortens with a mark', () => {
  expect(shorten('abcdef', 4)).toBe('abc…');
  expect(shorten('abcd', 4)).toBe('abcd');
});
