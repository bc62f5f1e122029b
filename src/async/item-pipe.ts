// INVARIANTS
// - What was pushed comes out once, in order, before the end does.
// - Once `push` has returned false, `onRoom` is called when there is room again, or nobody reads any more.
import { AgentContainersError } from '../errors.ts';

/** Items on their way to one reader. */
export interface ItemPipe<T> extends AsyncIterable<T> {
  /** Takes an item of so many bytes. False: hold back until `onRoom` is called. */
  push(item: T, bytes: number): boolean;
  end(): void;
  /** The reader gets the error after what came before it. */
  fail(error: unknown): void;
  /** Ends the reader at once. What comes is dropped from now on, and holds nothing up. */
  discard(): void;
}

const HIGH_BYTES = 262_144;
const LOW_BYTES = 65_536;
/** What holding an item takes beside its own bytes; without it, tiny items would fill the memory. */
const ITEM_BYTES = 256;

type Result<T> = IteratorResult<T, undefined>;
const DONE = { done: true, value: undefined } as const;

export function createItemPipe<T>(onRoom: () => void): ItemPipe<T> {
  let held: { readonly item: T; readonly bytes: number }[] = [];
  let first = 0;
  let bytes = 0;
  let isHeldUp = false;
  let hasReader = false;
  let hasLeft = false;
  let ending: { readonly error?: unknown; readonly isFailure: boolean } | undefined;
  let waiting: { resolve(result: Result<T>): void; reject(error: unknown): void }[] = [];

  function freeIfLow(): void {
    if (!isHeldUp || bytes > LOW_BYTES) return;
    isHeldUp = false;
    onRoom();
  }
  function take(): { readonly item: T; readonly bytes: number } | undefined {
    const next = held[first];
    if (!next) return undefined;
    first++;
    if (first === held.length || first >= 1_024) {
      held = held.slice(first);
      first = 0;
    }
    return next;
  }
  function finish(how: { readonly error?: unknown; readonly isFailure: boolean }): void {
    if (ending) return;
    ending = how;
    const readers = waiting;
    waiting = [];
    for (const reader of readers) settle(reader);
  }
  /** Of a reader that came too late for an item. The error is told once. */
  function settle(reader: { resolve(result: Result<T>): void; reject(error: unknown): void }): void {
    const how = ending;
    ending = { isFailure: false };
    if (how?.isFailure) reader.reject(how.error);
    else reader.resolve(DONE);
  }

  function next(): Promise<Result<T>> {
    const found = take();
    if (found) {
      bytes -= found.bytes + ITEM_BYTES;
      freeIfLow();
      return Promise.resolve({ done: false, value: found.item });
    }
    return new Promise((resolve, reject) => {
      if (ending) settle({ resolve, reject });
      else waiting.push({ resolve, reject });
    });
  }

  function discard(): void {
    hasLeft = true;
    held = [];
    first = 0;
    bytes = 0;
    finish({ isFailure: false });
    freeIfLow();
  }

  return {
    push(item, size) {
      if (ending || hasLeft) return true;
      const reader = waiting.shift();
      if (reader) {
        reader.resolve({ done: false, value: item });
        return true;
      }
      held.push({ item, bytes: size });
      bytes += size + ITEM_BYTES;
      isHeldUp ||= bytes >= HIGH_BYTES;
      return !isHeldUp;
    },
    end: () => finish({ isFailure: false }),
    fail: (error) => finish({ isFailure: true, error }),
    discard,
    [Symbol.asyncIterator]() {
      if (hasReader) throw new AgentContainersError('broken-contract', 'Reading failed: there is a reader already.');
      hasReader = true;
      return {
        next,
        return() {
          discard();
          return Promise.resolve(DONE);
        },
      };
    },
  };
}
