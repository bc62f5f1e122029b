import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { canonicalHash, canonicalJson } from './canonical-json.ts';
import { parseStrictJsonc } from './strict-jsonc.ts';

describe('strict JSONC', () => {
  it('allows comments, trailing commas and a byte order mark', () => {
    const text = '\ufeff// first\n{ /* in */ "a": [1, 2,], "b": { "c": null, }, } // last\n';
    expect(parseStrictJsonc(text)).toEqual({ ok: true, value: { a: [1, 2], b: { c: null } } });
  });

  it.each([
    ['', 1, 1, 'value expected'],
    ['   \n  ', 2, 3, 'value expected'],
    ['{ "a": 1', 1, 9, 'close brace expected'],
    ['{\n  "a": "tru', 2, 8, 'unexpected end of string'],
    ['{\n  "a": 1\n  "b": 2\n}', 3, 3, 'comma expected'],
    ['{ "a": }', 1, 8, 'value expected'],
    ['{ a: 1 }', 1, 3, 'invalid symbol'],
    ["{ 'a': 1 }", 1, 3, 'invalid symbol'],
    ['{ "a": 1 } x', 1, 12, 'invalid symbol'],
    ['{ "a": 1 } {}', 1, 12, 'end of file expected'],
    ['{ "a": 01 }', 1, 9, 'comma expected'],
    ['{ "a": "\t" }', 1, 8, 'invalid character'],
    ['{ "a": "\\x" }', 1, 8, 'invalid escape character'],
    ['{ /* no end', 1, 3, 'unexpected end of comment'],
    ['{ , }', 1, 3, undefined],
    ['[1]', 1, 1, 'must be an object'],
    ['\r\n\r\n"text"', 3, 1, 'must be an object'],
    [`{"a":${'['.repeat(100_000)}`, 1, 205, 'nested too deeply'],
  ])('refuses %j at line %i, column %i', (text, line, column, message) => {
    const parsed = parseStrictJsonc(text);
    if (parsed.ok) return expect.unreachable('it was accepted');
    expect({ line: parsed.error.line, column: parsed.error.column }).toEqual({ line, column });
    if (message !== undefined) expect(parsed.error.message).toBe(message);
  });

  it('takes __proto__ for a name like any other', () => {
    const parsed = parseStrictJsonc('{ "__proto__": { "polluted": true } }');
    if (!parsed.ok) return expect.unreachable(parsed.error.message);
    expect(Object.keys(parsed.value)).toEqual(['__proto__']);
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
    expect(canonicalJson(parsed.value)).toBe('{"__proto__":{"polluted":true}}');
  });

  it('reads every JSON object as JSON does, and refuses each of its beginnings', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.nat(), (value, cut) => {
        const text = JSON.stringify(value);
        const parsed = parseStrictJsonc(text);
        expect(parsed.ok && canonicalJson(parsed.value)).toBe(canonicalJson(JSON.parse(text)));
        expect(parseStrictJsonc(text.slice(0, cut % text.length)).ok).toBe(false);
      }),
    );
  });
});

describe('the fingerprint', () => {
  it('does not depend on white space, comments and the order of keys, and depends on everything else', () => {
    const hashOf = (text: string): string => {
      const parsed = parseStrictJsonc(text);
      if (!parsed.ok) throw new Error(parsed.error.message);
      return canonicalHash(parsed.value);
    };
    const hash = hashOf('{ "a": { "x": 1, "y": [1, 2] }, "b": "t" }');
    expect(hashOf('// c\n{"b":"t","a":{"y":[1,2,],"x":1.0}}')).toBe(hash);
    expect(hashOf('{ "a": { "x": 1, "y": [2, 1] }, "b": "t" }')).not.toBe(hash);
    expect(hashOf('{ "a": { "x": "1", "y": [1, 2] }, "b": "t" }')).not.toBe(hash);
  });

  it('is the same for every order of keys', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (value) => {
        const turned = Object.fromEntries(Object.entries(value).toReversed());
        expect(canonicalHash(turned)).toBe(canonicalHash(value));
      }),
    );
  });
});
