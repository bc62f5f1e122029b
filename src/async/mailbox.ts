// INVARIANTS
// - Messages are taken one at a time, in the order of posting; a message posted while one is being taken waits.
// - A throw of `take` is given to `onError` and does not stop the messages behind it.

export interface Mailbox<M> {
  /** Returns after the message was taken, unless the call came from inside `take`. */
  post(message: M): void;
}

/** Run to completion: no message sees the half-done effects of another. */
export function createMailbox<M>(
  take: (message: M) => void,
  onError: (error: unknown, message: M) => void,
): Mailbox<M> {
  const waiting: M[] = [];
  let taking = false;
  return {
    post(message) {
      waiting.push(message);
      if (taking) return;
      taking = true;
      try {
        for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
          try {
            take(next);
          } catch (error) {
            onError(error, next);
          }
        }
      } finally {
        taking = false;
      }
    },
  };
}
