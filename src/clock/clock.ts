/** Milliseconds since the Unix epoch. */
export type Instant = number;

export interface Timer {
  /** Returns true when the call prevented the timer from firing. */
  stop(): boolean;
}

/**
 * All of time, injected. Nothing outside `clock/` touches `Date`, `setTimeout` or `setInterval`.
 *
 * A callback may return a promise: a fake clock's `advance` awaits it, which is what makes
 * "everything that follows from this tick has happened" awaitable.
 */
export interface Clock {
  now(): Instant;
  /** Calls `fn` once after `ms` milliseconds. A rejection of its promise is a bug and becomes an unhandled rejection. */
  afterFunc(ms: number, fn: () => void | Promise<void>, tag?: string): Timer;
  /**
   * Calls `fn` every `ms` milliseconds until stopped. Calls never overlap: a tick that comes while the promise of the
   * one before is pending is dropped.
   */
  tickerFunc(ms: number, fn: () => void | Promise<void>, tag?: string): Timer;
}
