import { test as propertyTest, fc } from '@fast-check/vitest';
import { describe, expect, test } from 'vitest';
import { parseTimestamp } from './parse-timestamp.ts';

describe('times of the engine', () => {
  const instants = fc.date({ min: new Date(0), max: new Date('9999-12-31T23:59:59.999Z'), noInvalidDate: true });

  propertyTest.prop([instants])('every time of this calendar is read as the platform reads it', (date) => {
    expect(parseTimestamp(date.toISOString())).toBe(date.getTime());
  });

  test.each([
    ['2024-02-29T12:34:56.123456789Z', Date.UTC(2024, 1, 29, 12, 34, 56, 123)],
    ['2024-02-29T12:34:56Z', Date.UTC(2024, 1, 29, 12, 34, 56)],
    ['2024-02-29T12:34:56.5+02:00', Date.UTC(2024, 1, 29, 10, 34, 56, 500)],
    ['2024-02-29T12:34:56-00:30', Date.UTC(2024, 1, 29, 13, 4, 56)],
  ])('%s is understood', (text, at) => {
    expect(parseTimestamp(text)).toBe(at);
  });

  test.each([
    '0001-01-01T00:00:00Z',
    '',
    'yesterday',
    '2024-13-01T00:00:00Z',
    '2024-01-01 00:00:00',
    '2024-01-01T00:00:00',
  ])('%j is no time', (text) => {
    expect(parseTimestamp(text)).toBeUndefined();
  });
});
