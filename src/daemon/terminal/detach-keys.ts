const CTRL_C = 0x03;
const CTRL_P = 0x10;
const CTRL_Q = 0x11;

/** What a terminal's keys are passed through, so that Ctrl-P Ctrl-Q leaves it. */
export interface DetachKeys {
  push(bytes: Uint8Array): void;
  /** Forgets a Ctrl-P that waits for what comes next. */
  stop(): void;
}

/**
 * A Ctrl-P waits for the next key, and is passed on by itself after a second: shells use it too.
 *
 * @param options.pass takes what is typed, in order
 * @param options.after calls back once after so many milliseconds, unless what it returned was called before
 * @param options.isWatching nothing is passed on, and Ctrl-C leaves as well
 */
export function createDetachKeys(options: {
  readonly pass: (bytes: Uint8Array) => void;
  readonly leave: () => void;
  readonly after: (ms: number, callback: () => void) => () => void;
  readonly isWatching?: boolean;
}): DetachKeys {
  const { leave, after, isWatching = false } = options;
  let cancel: (() => void) | undefined;
  const pass = (bytes: Uint8Array): void => {
    if (!isWatching && bytes.length > 0) options.pass(bytes);
  };
  const stop = (): void => {
    cancel?.();
    cancel = undefined;
  };

  return {
    stop,
    push(bytes) {
      const isHeld = cancel !== undefined;
      stop();
      const all = isHeld ? Buffer.concat([Buffer.of(CTRL_P), bytes]) : Buffer.from(bytes);
      const at = all.indexOf(Buffer.of(CTRL_P, CTRL_Q));
      if (at >= 0) {
        pass(all.subarray(0, at));
        leave();
      } else if (isWatching && all.includes(CTRL_C)) leave();
      else if (all.at(-1) === CTRL_P) {
        pass(all.subarray(0, -1));
        cancel = after(1_000, () => {
          cancel = undefined;
          pass(Buffer.of(CTRL_P));
        });
      } else pass(all);
    },
  };
}
