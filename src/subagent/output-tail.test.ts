import { describe, expect, it } from 'vitest';
import { createOutputTail } from './output-tail.ts';

describe('createOutputTail', () => {
  it('keeps the last 40 lines and 8,192 characters', () => {
    const tail = createOutputTail([]);
    for (let line = 1; line <= 100; line++) tail.add(`line ${line}`);
    expect(tail.text().split('\n')).toHaveLength(40);
    expect(tail.text()).toMatch(/^line 61\n[^]*line 100$/);
    for (let line = 1; line <= 100; line++) tail.add('z'.repeat(5_000));
    expect(tail.text()).toHaveLength(8_192);
  });

  it('is safe to show: no escape sequences, control or direction characters, no broken bytes, no secrets', () => {
    const tail = createOutputTail(['s3cret-value']);
    tail.add('\u001b[31mred\u001b[0m \u001b]0;title\u0007 \r\b\u202eback');
    tail.add('\ufffd\ufffd\u0000A');
    tail.add('token=s3cret-value, again s3cret-value');
    tail.add('   ');
    expect(tail.text()).toBe('red   back\n\ufffd\ufffd A\ntoken=[redacted], again [redacted]\n');
    expect(tail.lastLine()).toBe('token=[redacted], again [redacted]');
  });
});
