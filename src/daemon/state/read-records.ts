import type { z } from 'zod';

export interface ReadRecords<T> {
  readonly records: T[];
  /** How many were left out, or kept without an optional part that was damaged. */
  readonly damaged: number;
}

/**
 * Checks records one by one: a damaged one does not take the others along, and a damaged optional field does not take the
 * rest of its record along.
 * @param lists fields whose items stand each for themselves, so that a damaged one is left out alone
 */
export function readRecords<T>(
  schema: z.ZodType<T>,
  items: readonly unknown[],
  lists: readonly string[] = [],
): ReadRecords<T> {
  const records: T[] = [];
  let damaged = 0;
  for (const item of items) {
    const result = schema.safeParse(item);
    if (!result.success) damaged++;
    const record = result.success ? result : schema.safeParse(withoutDamage(item, result.error.issues, lists));
    if (record.success) records.push(record.data);
  }
  return { records, damaged };
}

/** A copy without what was complained about. A needed field is missed then. */
function withoutDamage(item: unknown, issues: readonly z.core.$ZodIssue[], lists: readonly string[]): unknown {
  if (typeof item !== 'object' || item === null || Array.isArray(item)) return item;
  const copy: Record<string, unknown> = { ...item };
  for (const field of new Set(issues.map(({ path }) => path[0]))) {
    if (typeof field !== 'string') continue;
    const value = copy[field];
    const isList = Array.isArray(value) && lists.includes(field);
    const damaged = new Set(issues.flatMap(({ path }) => (path[0] === field ? [path[1]] : [])));
    if (isList) copy[field] = value.filter((_, index) => !damaged.has(index));
    else delete copy[field];
  }
  return copy;
}
