import { expect, it } from 'vitest';

import { firstSentence, isStackFrame, plainLine, plainText, shorten } from './plain-text.ts';

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

it.each([
  ['a colour', 'a\u001b[1;31mb\u001b[0mc', 'abc'],
  ['a colour in eight bits', 'a\u009b31mb', 'ab'],
  ['a movement', 'a\u001b[2K\u001b[1Ab', 'ab'],
  ['a private mode', 'a\u001b[?25lb', 'ab'],
  ['a title', 'a\u001b]0;title\u0007b', 'ab'],
  ['a link', '\u001b]8;;https://x.example/\u001b\\text\u001b]8;;\u001b\\', 'text'],
  ['a device string', 'a\u001bP1$r0m\u001b\\b', 'ab'],
  ['a character set', 'a\u001b(Bb\u001b)0c', 'abc'],
  ['a saved cursor', 'a\u001b7b\u001b8c', 'abc'],
  ['a title without end', 'a\u001b]0;b\nc', 'a0;b\nc'],
  ['half of a command', 'a\u001b[31', 'a31'],
])('takes out %s', (_what, text, plain) => {
  expect(plainText(text)).toBe(plain);
  expect(plainLine(text)).toBe(plain.replace('\n', ' '));
});

it.each([0x061c, 0x180e, 0x200b, 0x200d, 0x202e, 0x2028, 0x2069, 0xfeff, 0xe0001, 0xe007f])(
  'puts a space for what is not seen and changes what is: number %i',
  (code) => {
    expect(plainLine(`a${String.fromCodePoint(code)}b`)).toBe('a b');
  },
);

it.each([
  ['parameters', `\u001b${';?'.repeat(500_000)}`],
  ['brackets', `\u001b${'['.repeat(1_000_000)}`],
  ['titles', '\u001b]0;'.repeat(250_000)],
  ['one long title', `\u001b]${'a;'.repeat(500_000)}`],
  ['escapes', '\u001b'.repeat(1_000_000)],
  ['carriage returns', `${'\r'.repeat(1_000_000)}x`],
  ['space', `a${' '.repeat(1_000_000)}b`],
])(
  'takes a time in proportion to a text of %s',
  (_what, text) => {
    plainText(text);
    plainLine(text);
    firstSentence(text);
  },
  10_000,
);
