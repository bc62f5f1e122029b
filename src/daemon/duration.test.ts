import { fc, test as propertyTest } from '@fast-check/vitest';
import { describe, expect, test } from 'vitest';
import { formatDuration, parseDuration } from './duration.ts';

describe('parseDuration', () => {
  test.each([
    ['500ms', 500],
    ['10s', 10_000],
    ['2m', 120_000],
    ['1h', 3_600_000],
    ['1m30s', 90_000],
    ['1.5s', 1_500],
    [' 10s ', 10_000],
  ])('reads %s', (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });

  test.each(['', 's', '10 s', '10sec', '-1s', '1s2', 's10', '10s,', '1e3s'])(
    'refuses %j and says what is allowed',
    (text) => {
      expect(() => parseDuration(text)).toThrow('such as 500ms, 10s, 2m or 1h');
    },
  );

  test('proposes a unit for a bare number', () => {
    expect(() => parseDuration('10')).toThrow('Did you mean 10s?');
  });

  test('refuses what lies outside the limits, and names them', () => {
    expect(() => parseDuration('99ms', { min: 100, max: 60_000 })).toThrow('between 100ms and 1m00s');
    expect(() => parseDuration('0s')).toThrow('between 1ms');
    expect(() => parseDuration('25h')).toThrow('24h00m');
  });

  propertyTest.prop([fc.integer({ min: 1, max: 86_400_000 })])('reads any number of milliseconds back', (ms) => {
    expect(parseDuration(`${ms}ms`)).toBe(ms);
  });
});

test.each([
  [0, '0ms'],
  [350, '350ms'],
  [2_540, '2.5s'],
  [59_990, '59.9s'],
  [65_000, '1m05s'],
  [7_380_000, '2h03m'],
])('formatDuration(%i) is %s', (ms, text) => {
  expect(formatDuration(ms)).toBe(text);
});
