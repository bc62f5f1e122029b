import { fc, test as property } from '@fast-check/vitest';
import { describe, expect, test } from 'vitest';
import { isHost, isPort, LONGEST_HOST, MOST_FORWARDS, restoredForwards, type KnownForward } from './forward.ts';

describe('a host', () => {
  test.each(['db', '127.0.0.1', '::1', 'fe80::1%eth0', 'my_db.internal', 'a'.repeat(LONGEST_HOST)])(
    '%s is one',
    (text) => {
      expect(isHost(text)).toBe(true);
    },
  );

  test.each(['', ' ', 'a b', '[::1]', 'a/b', 'a\n', 'a\0', 'ä', 'a@b', 'a'.repeat(LONGEST_HOST + 1)])(
    '%j is none',
    (text) => {
      expect(isHost(text)).toBe(false);
    },
  );
});

test.each([
  [1, true],
  [65_535, true],
  [0, false],
  [65_536, false],
  [-1, false],
  [1.5, false],
  [Number.NaN, false],
  ['80' as never, false],
])('%s as a port: %s', (value, expected) => {
  expect(isPort(value)).toBe(expected);
});

describe('forwards of the last run', () => {
  const known: KnownForward = { id: 'f', host: 'db', port: 5432, hostPort: 15_432 };

  test('do not listen yet', () => {
    expect(restoredForwards([known])).toEqual([{ ...known, status: 'failed', error: 'It does not listen yet.' }]);
  });

  test.each([
    ['without an id', { id: '' }],
    ['with a host that is none', { host: 'a b' }],
    ['with a port that is none', { port: 0 }],
    ['with a host port that is none', { hostPort: 65_536 }],
  ])('one %s is left out, and not the others', (_what, damage) => {
    const other = { ...known, id: 'g' };
    expect(restoredForwards([{ ...known, ...damage }, other]).map(({ id }) => id)).toEqual(['g']);
  });

  const anyForward = fc.record({
    id: fc.string({ maxLength: 2 }),
    host: fc.string(),
    port: fc.integer(),
    hostPort: fc.integer({ min: -1, max: 70_000 }),
  });
  property.prop([
    fc.array(
      fc.oneof(
        anyForward,
        fc.uuid().map((id) => ({ ...known, id })),
      ),
      { maxLength: 200 },
    ),
  ])('are never too many, have an id each, and can be opened', (forwards) => {
    const restored = restoredForwards(forwards);
    expect(restored.length).toBeLessThanOrEqual(MOST_FORWARDS);
    expect(new Set(restored.map(({ id }) => id)).size).toBe(restored.length);
    for (const { id, host, port, hostPort } of restored) {
      expect([id !== '', isHost(host), isPort(port), isPort(hostPort)]).toEqual([true, true, true, true]);
    }
  });
});
