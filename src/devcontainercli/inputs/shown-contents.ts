import { MAX_SHOWN_BYTES, MAX_SHOWN_BYTES_IN_ALL } from './input-bounds.ts';

/** Texts of inputs, to show later what differs. */
export interface ShownContents {
  /** Nobody asks for them: do not read anything for them. */
  readonly wanted: boolean;
  /** May what lies there be shown? */
  mayShow(realPath: string): boolean;
  /** What is too long, or would be too much in all, is left out. */
  add(name: string, text: string): void;
  /** Of what may not be shown, that it is another one. */
  addHash(name: string, sha256: string): void;
  all(): Readonly<Record<string, string>>;
}

export function createShownContents(wanted: boolean, mayShow: (realPath: string) => boolean): ShownContents {
  const texts = new Map<string, string>();
  let left = MAX_SHOWN_BYTES_IN_ALL;
  const add = (name: string, text: string): void => {
    if (!wanted || texts.has(name)) return;
    const size = Buffer.byteLength(text);
    const sizeInAll = size + Buffer.byteLength(name);
    if (size > MAX_SHOWN_BYTES || sizeInAll > left) return;
    left -= sizeInAll;
    texts.set(name, text);
  };
  return {
    wanted,
    mayShow,
    add,
    addHash: (name, sha256) => add(name, `sha256 ${sha256.slice(0, 12)}\n`),
    all: () => Object.fromEntries(texts),
  };
}
