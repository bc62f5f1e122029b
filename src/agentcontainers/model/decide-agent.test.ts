import { fc, test } from '@fast-check/vitest';
import { describe, expect, it } from 'vitest';
import { retryAt } from './decide-agent.ts';

describe('retryAt', () => {
  it.each([
    [1, 1_000],
    [2, 2_000],
    [3, 4_000],
    [4, 8_000],
    [5, 16_000],
    [6, 32_000],
    [7, 60_000],
    [8, 60_000],
    [1_000_000, 60_000],
  ])('after %i failed injections in a row waits %i ms', (failures, ms) => {
    expect(retryAt('failed', failures, 5) - 5).toBe(ms);
  });

  it('starts a sub-agent that was up anew at once the first time, then backs off like an injection', () => {
    expect([1, 2, 3, 8, 9].map((failures) => retryAt('exited', failures, 5) - 5)).toEqual([
      0, 1_000, 2_000, 60_000, 60_000,
    ]);
  });

  test.prop([fc.constantFrom('exited' as const, 'failed' as const), fc.integer({ min: 1 }), fc.nat()])(
    'never lies in the past, nor further away than a minute, nor earlier after more failures',
    (kind, failures, at) => {
      const wait = retryAt(kind, failures, at) - at;
      expect(wait).toBeGreaterThanOrEqual(0);
      expect(wait).toBeLessThanOrEqual(60_000);
      expect(retryAt(kind, failures + 1, at) - at).toBeGreaterThanOrEqual(wait);
    },
  );
});
