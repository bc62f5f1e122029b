/** Keeps the old object where the new one is equal, so that "did anything change" is a comparison of references. */
export function reuse<T>(before: T, after: T): T {
  if (before === after) return before;
  return deepEqual(before, after) ? before : after;
}

/** The same for the members of a list, found again by key. */
export function reuseEqual<T>(before: readonly T[], after: readonly T[], keyOf: (one: T) => string): readonly T[] {
  const known = new Map(before.map((one) => [keyOf(one), one]));
  let same = before.length === after.length;
  const result = after.map((one, index) => {
    const old = known.get(keyOf(one));
    const kept = old !== undefined && deepEqual(old, one) ? old : one;
    if (kept !== before[index]) same = false;
    return kept;
  });
  return same ? before : result;
}

// Runs over every field of every container in each pass, so it makes no lists of keys. A field that is absent equals one
// that is undefined.
function deepEqual(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a) || Array.isArray(b)) {
    if (!Array.isArray(a) || !Array.isArray(b) || a.length !== b.length) return false;
    for (let index = 0; index < a.length; index++) if (!deepEqual(a[index], b[index])) return false;
    return true;
  }
  const left = a as Record<string, unknown>;
  const right = b as Record<string, unknown>;
  for (const key in left) if (!deepEqual(left[key], right[key])) return false;
  for (const key in right) if (right[key] !== undefined && !Object.hasOwn(left, key)) return false;
  return true;
}
