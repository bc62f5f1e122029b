// INVARIANTS
// - A linked controller leaves no listener on its parent once `release` was called or it has aborted itself.
// - A deadline leaves no timer on the clock once `release` was called.
// - The first reason wins: whoever aborts second changes nothing.
import { setMaxListeners } from 'node:events';
import type { Clock } from '../clock/clock.ts';
import { AgentContainersError } from '../errors.ts';

export interface Scope {
  readonly signal: AbortSignal;
  abort(reason: unknown): void;
  /** Takes the scope off its parents and its timer. */
  release(): void;
}

/**
 * A new abort scope that ends when any of `parents` does. Used instead of `AbortSignal.any`, which keeps every derived
 * signal of a long-lived parent in memory.
 */
export function linkedScope(...parents: (AbortSignal | undefined)[]): Scope {
  const controller = new AbortController();
  // One scope serves as many calls as its owner makes at the same time: many listeners are no leak here.
  setMaxListeners(0, controller.signal);
  const releases: (() => void)[] = [];
  const release = (): void => {
    for (const off of releases.splice(0)) off();
  };
  const abort = (reason: unknown): void => {
    release();
    if (!controller.signal.aborted) controller.abort(reason);
  };
  for (const parent of parents) {
    if (!parent) continue;
    if (parent.aborted) {
      abort(parent.reason);
      break;
    }
    const onAbort = (): void => abort(parent.reason);
    parent.addEventListener('abort', onAbort, { once: true });
    releases.push(() => parent.removeEventListener('abort', onAbort));
  }
  return { signal: controller.signal, abort, release };
}

/** A scope that also aborts with a `timeout` error after `ms`. `what` opens the message: `Listing containers`. */
export function deadlineScope(clock: Clock, ms: number, what: string, ...parents: (AbortSignal | undefined)[]): Scope {
  const scope = linkedScope(...parents);
  const timer = clock.afterFunc(
    ms,
    () => scope.abort(new AgentContainersError('timeout', `${what} failed: no answer within ${ms / 1000} s.`)),
    `deadline: ${what}`,
  );
  return {
    signal: scope.signal,
    abort: scope.abort,
    release() {
      timer.stop();
      scope.release();
    },
  };
}

/**
 * Settles like `promise`, or rejects with the signal's reason as soon as it aborts. For work that may ignore its
 * signal: the caller goes on, the work's own late result is dropped.
 */
export function raceAbort<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  if (signal.aborted) {
    promise.catch(() => {});
    return Promise.reject(signal.reason as Error);
  }
  return new Promise<T>((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason as Error);
    signal.addEventListener('abort', onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}

/** Runs `work` under a deadline of its own, and goes on without it when it does not keep to that. */
export async function bounded<T>(
  clock: Clock,
  ms: number,
  what: string,
  parent: AbortSignal | undefined,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const scope = deadlineScope(clock, ms, what, parent);
  try {
    return await raceAbort(work(scope.signal), scope.signal);
  } finally {
    scope.release();
  }
}

/** Resolves after `ms` on the clock; rejects with the signal's reason as soon as it aborts. */
export function sleep(clock: Clock, ms: number, signal: AbortSignal, tag = 'sleep'): Promise<void> {
  if (signal.aborted) return Promise.reject(signal.reason as Error);
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      timer.stop();
      reject(signal.reason as Error);
    };
    const timer = clock.afterFunc(
      ms,
      () => {
        signal.removeEventListener('abort', onAbort);
        resolve();
      },
      tag,
    );
    signal.addEventListener('abort', onAbort, { once: true });
  });
}
