import { createHash } from 'node:crypto';

import { asRecord, partsOf } from './records.ts';

export interface ShownValue {
  readonly text: string;
  /** The text says all of it. */
  readonly isWhole: boolean;
}

/**
 * A parsed value as a person reads it: a string as it is unless that could be taken for something else, anything else
 * as JSON with sorted keys. Not much longer than `room`, however large the value is.
 */
export function shownValue(value: unknown, room: number): ShownValue {
  if (typeof value === 'string') {
    const isPlain = !/^\s|\s$|^$|^["[{]|^-?\d|^(?:true|false|null)$/.test(value);
    return isPlain ? { text: value, isWhole: true } : { text: JSON.stringify(value), isWhole: true };
  }
  const parts: string[] = [];
  let length = 0;
  /** Returns false when there is no more room; then nothing is walked any further. */
  const write = (text: string): boolean => {
    parts.push(text);
    length += text.length;
    return length <= room;
  };
  const walk = (item: unknown): boolean => {
    const fields = fieldsOf(item);
    if (fields === undefined) return write(scalarText(item));
    const [open, close] = Array.isArray(item) ? ['[', ']'] : ['{', '}'];
    if (!write(open)) return false;
    for (const [index, [name, field]] of fields.entries()) {
      if (!write(`${index === 0 ? '' : ','}${Array.isArray(item) ? '' : `${JSON.stringify(name)}:`}`)) return false;
      if (!walk(field)) return false;
    }
    return write(close);
  };
  const isWhole = walk(value);
  return { text: parts.join(''), isWhole };
}

/**
 * SHA-256, hex. Equal exactly for values that are equal, whatever the order of their keys. Takes time in proportion to
 * the objects that there are, also when YAML aliases make one object appear in a million places, and any depth.
 */
export function digestOf(value: unknown): string {
  const done = new Map<object, string>();
  const begun = new Set<object>();
  const stack: unknown[] = [value];
  while (stack.length > 0) {
    const top = stack.at(-1);
    const fields = fieldsOf(top);
    if (fields === undefined || done.has(top as object)) {
      stack.pop();
    } else if (begun.has(top as object)) {
      done.set(top as object, hashOf(top as object, fields, done));
      stack.pop();
    } else {
      begun.add(top as object);
      // What is begun and not done lies above this one: a circle, which its mark stands for.
      for (const [, field] of fields) if (!begun.has(field as object)) stack.push(field);
    }
  }
  return sha256(fieldsOf(value) === undefined ? scalarText(value) : `#${done.get(value as object) ?? ''}`);
}

type Fields = readonly (readonly [string, unknown])[];

/** Stands for one object: its hash, or, since there may be very many small ones, all that it says. */
function hashOf(item: object, fields: Fields, done: ReadonlyMap<object, string>): string {
  const parts = fields.map(([name, field]) => [
    name,
    fieldsOf(field) === undefined ? scalarText(field) : `#${done.get(field as object) ?? 'circle'}`,
  ]);
  const text = JSON.stringify([Array.isArray(item) ? 'array' : 'object', parts]);
  return text.length <= 200 ? text : sha256(text);
}

/** Parts of an array or object, keys in code unit order; `undefined` for anything else. */
function fieldsOf(value: unknown): Fields | undefined {
  const parts = partsOf(value);
  return asRecord(value) ? parts?.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)) : parts;
}

/** Numbers that JSON cannot say, dates and the like keep their own text; lone surrogates are escaped by JSON. */
function scalarText(value: unknown): string {
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value === 'number' && !Number.isFinite(value)) return String(value);
  return JSON.stringify(value) ?? String(value);
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
