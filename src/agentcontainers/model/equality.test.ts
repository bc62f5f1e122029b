import { fc, test } from '@fast-check/vitest';
import { describe, expect, it } from 'vitest';
import { reuse, reuseEqual } from './equality.ts';

const copy = <T>(value: T): T => structuredClone(value);
// What state holds: plain values.
const value = fc.jsonValue({ maxDepth: 3 });

describe('reuse', () => {
  test.prop([value])('keeps the old object where the new one is equal', (before) => {
    const after = reuse(before, copy(before));
    if (Object.is(before, -0)) return;
    expect(after).toBe(before);
  });

  test.prop([value, value])('never says that different values are the same', (before, after) => {
    expect(reuse(before, after)).toEqual(after);
  });

  it.each([
    [{ a: 1 }, { a: 1, b: 2 }],
    [{ a: 1, b: 2 }, { a: 1 }],
    [
      [1, 2],
      [2, 1],
    ],
    [[], {}],
    [{ a: null }, { a: 0 }],
    [{ a: Number.NaN }, { a: 0 }],
    ['1', 1],
    [{}, { toString: 'a label may have any name' }],
  ])('takes the new one of %j and %j', (before: unknown, after: unknown) => {
    expect(reuse(before, after)).toBe(after);
  });

  it('takes a missing property for one that is undefined, in either direction', () => {
    const [bare, explicit] = [{ a: 1 }, { a: 1, b: undefined }];
    expect(reuse<object>(bare, explicit)).toBe(bare);
    expect(reuse<object>(explicit, bare)).toBe(explicit);
  });
});

describe('reuseEqual', () => {
  const member = fc.record({ id: fc.nat(5), value: fc.nat(2) });
  const list = fc.uniqueArray(member, { maxLength: 6, selector: ({ id }) => id });
  const keyOf = ({ id }: { id: number }): string => String(id);

  test.prop([list])('keeps the list itself when nothing changed', (before) => {
    expect(reuseEqual(before, copy(before), keyOf)).toBe(before);
  });

  test.prop([list, list])('gives the new list, with the old members that are equal', (before, after) => {
    const result = reuseEqual(before, after, keyOf);
    expect(result).toEqual(after);
    for (const [index, one] of result.entries()) {
      const old = before.find(({ id }) => id === one.id);
      expect(one).toBe(old?.value === one.value ? old : after[index]);
    }
    if (JSON.stringify(before) !== JSON.stringify(after)) expect(result).not.toBe(before);
  });
});
