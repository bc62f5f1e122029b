import { describe, expect, test } from 'vitest';
import { negotiateApiVersion } from './api-version.ts';

describe('agreeing on an API version', () => {
  test.each([
    ['1.40', '1.40'],
    ['1.41', '1.41'],
    ['1.44', '1.44'],
    ['1.52', '1.52'],
    ['1.53', '1.52'],
    ['2.0', '1.52'],
    ['1.41.0', '1.41'],
  ])('with an engine that speaks %s it is %s', (engine, agreed) => {
    expect(negotiateApiVersion(engine)).toBe(agreed);
  });

  test('an engine that is too old is refused with both versions', () => {
    expect(() => negotiateApiVersion('1.39')).toThrow(
      expect.objectContaining({
        code: 'engine-api-version',
        message:
          'Agreeing on an API version with the engine failed: the engine speaks at most 1.39, this program needs at least 1.40. Update the engine.',
      }),
    );
  });

  test.each(['', 'latest', '1', '-1.5', '1.99999999999'])('%j is no version', (version) => {
    expect(() => negotiateApiVersion(version)).toThrow(expect.objectContaining({ code: 'engine-api-version' }));
  });
});
