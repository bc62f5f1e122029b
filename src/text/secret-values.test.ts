import { fc, test } from '@fast-check/vitest';
import { describe, expect, it } from 'vitest';
import { withoutValues } from './secret-values.ts';

/** As the dev container CLI writes metadata into a Dockerfile. */
const asLabel = (value: unknown): string => `LABEL x="${JSON.stringify(value).replace(/(?=["\\$])/g, '\\')}"`;

describe('values that are known', () => {
  const secret = `hun"ter$2\\x`;
  const redact = withoutValues([secret]);

  it.each([
    ['as they are', `a ${secret} b`],
    ['in JSON', JSON.stringify({ a: secret })],
    ['in JSON in JSON', JSON.stringify(JSON.stringify({ a: secret }))],
    ['in a label of a Dockerfile', asLabel({ a: secret })],
    ['in the environment of a Dockerfile', `ENV A="${secret.replace(/(?=["\\$])/g, '\\')}"`],
  ])('are taken out of a text %s', (_how, text) => {
    expect(redact(text)).toContain('[redacted]');
    expect(redact(text)).not.toContain('hun');
    expect(redact(text)).not.toContain('ter');
  });

  it('are taken out line by line, and the longest first', () => {
    const both = withoutValues(['abcdef', 'abcdefgh', 'BEGIN KEY\nline-of-key\nEND']);
    expect(both('abcdefgh abcdef')).toBe('[redacted] [redacted]');
    expect(both('x line-of-key y')).toBe('x [redacted] y');
  });

  it('are left alone where they would blank out ordinary text', () => {
    const text = 'true false none auto yes no 123 abc';
    expect(withoutValues(['true', 'false', 'none', 'auto', 'yes', 'no', '123', 'abc', ''])(text)).toBe(text);
  });

  it('count without the variables in them, whose values nobody knows here', () => {
    const redacted = withoutValues(['${localEnv:TOKEN}', 'prefix-of-it-${localEnv:TOKEN}'])(
      'a prefix-of-it-x b ${localEnv:TOKEN}',
    );
    expect(redacted).toBe('a [redacted]x b ${localEnv:TOKEN}');
  });

  test.prop([fc.string({ minLength: 9 }), fc.string()])(
    'are in no form of a text that is given out',
    (value, other) => {
      fc.pre(!/[\n\r]|\$\{/.test(value) && value.trim() === value && !other.includes(value));
      for (const form of [value, JSON.stringify({ a: value }), asLabel({ a: value })]) {
        expect(withoutValues([value])(`${other} ${form}`)).not.toContain(value);
      }
    },
  );
});
