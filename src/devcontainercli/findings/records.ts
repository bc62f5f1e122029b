/** Untrusted parsed JSON and YAML, taken apart without trust in its shape. */

type Fields = Readonly<Record<string, unknown>>;

/** An object that is no array, date, map or set; `undefined` for anything else. */
export function asRecord(value: unknown): Fields | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null ? (value as Fields) : undefined;
}

/** The value of an own property. */
export function own(record: Fields, name: string): unknown {
  return Object.hasOwn(record, name) ? record[name] : undefined;
}

/** Nothing is asked for: absent, null, false, empty text, an empty list or an empty object. */
export function isNothing(value: unknown): boolean {
  if (value === undefined || value === null || value === false || value === '') return true;
  if (Array.isArray(value)) return value.length === 0;
  const record = asRecord(value);
  return record !== undefined && Object.keys(record).length === 0;
}

/** A property of a compose file that compose gives no meaning to; other readers of the format have their own. */
export function isExtension(name: string): boolean {
  return name.startsWith('x-') && !name.startsWith('x-podman');
}

/** A list, or its one item; nothing is an empty list. */
export function asList(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value as readonly unknown[];
  return value === undefined || value === null ? [] : [value];
}

/** What an array, object, map or set is made of, in its order; `undefined` for anything else. */
export function partsOf(value: unknown): (readonly [string, unknown])[] | undefined {
  if (typeof value !== 'object' || value === null || hasOwnText(value)) return undefined;
  if (Array.isArray(value)) return value.map((item: unknown, index) => [String(index), item]);
  if (value instanceof Set) return [...value].map((item: unknown, index) => [String(index), item]);
  if (value instanceof Map) {
    // Keys of YAML may be anything.
    return [...value].flatMap(([key, item]: [unknown, unknown], index) => [
      [`key ${index}`, key],
      [`value ${index}`, item],
    ]);
  }
  return Object.entries(value);
}

/** Dates and the like, which say themselves what they are in JSON; parsed files hold no functions. */
function hasOwnText(value: object): boolean {
  return 'toJSON' in value && typeof value.toJSON === 'function';
}

/** Every string in a value, keys of objects too; each object is looked at once, however often it appears. */
export function* stringsIn(value: unknown): Generator<string> {
  const seen = new Set<object>();
  const stack: unknown[] = [value];
  while (stack.length > 0) {
    const top = stack.pop();
    if (typeof top === 'string') yield top;
    const parts = partsOf(top);
    if (parts === undefined || seen.has(top as object)) continue;
    seen.add(top as object);
    for (const [name, part] of parts) {
      if (!Array.isArray(top)) yield name;
      stack.push(part);
    }
  }
}
