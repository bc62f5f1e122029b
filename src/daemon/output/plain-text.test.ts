import { fc, test as propertyTest } from '@fast-check/vitest';
import { expect, test } from 'vitest';
import { plainLines, plainText } from './plain-text.ts';

test('colours, cursor movements, titles and hyperlinks are gone', () => {
  expect(plainText('\u001b[31mred\u001b[0m \u001b[2J\u001b[1;1H\u001b]0;title\u0007x')).toBe('red x');
  expect(plainText('\u001b]8;;http://evil\u0007link\u001b]8;;\u0007')).toBe('link');
});

test('lone controls and direction marks become visible', () => {
  expect(plainText('a\u0008b\u0085c\u202ed')).toBe('a\ufffdb\ufffdc\ufffdd');
});

test.each([0x061c, 0x180e, 0x200b, 0x200c, 0x200d, 0x200e, 0x2029, 0x202e, 0x2066, 0xfeff, 0xe0001, 0xe0041, 0xe007f])(
  'what is not seen and changes what is, number %i, becomes visible',
  (code) => {
    const text = `a${String.fromCodePoint(code)}b`;
    expect([plainText(text), plainLines(text)]).toEqual(['a\ufffdb', 'a\ufffdb']);
  },
);

test('several lines become one', () => {
  expect(plainText('  a\r\n   b\tc\n')).toBe('a b c');
});

test('plainLines keeps line feeds and tabs', () => {
  expect(plainLines('a\r\nb\rc\td\u0007')).toBe('a\nb\nc\td\ufffd');
});

propertyTest.prop([fc.string({ unit: 'binary' })])('no control character ever survives', (text) => {
  // oxlint-disable-next-line no-control-regex
  expect(plainText(text)).not.toMatch(/[\u0000-\u001f\u007f-\u009f]/u);
  // oxlint-disable-next-line no-control-regex
  expect(plainLines(text)).not.toMatch(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/u);
});
