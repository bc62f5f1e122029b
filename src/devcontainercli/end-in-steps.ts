import type { Clock } from '../clock/clock.ts';

export type EndingSignal = 'SIGTERM' | 'SIGKILL';

/** Time between the first TERM and KILL. */
export const TERM_GRACE_MS = 5_000;
/** TERM is said again after these times. */
const TERM_STEPS_MS = [500, 500] as const;
/** How long is waited after KILL. Only a process stuck in the kernel can need more. */
const KILL_WAIT_MS = 5_000;
const POLL_MS = 50;

/**
 * Ends processes politely, and after five seconds not: TERM, TERM, TERM, KILL. Resolves when they are gone, when KILL
 * has had five seconds to work, or when `signal` aborts. Never rejects.
 */
export async function endInSteps(
  target: { isGone(): boolean; send(signal: EndingSignal): void },
  clock: Clock,
  early: {
    /** Looked at again when this resolves, before the next step of the clock. */
    readonly closed?: Promise<void> | undefined;
    readonly signal?: AbortSignal | undefined;
  } = {},
): Promise<void> {
  const goneWithin = (ms: number): Promise<boolean> => gone(target, clock, ms, early);
  target.send('SIGTERM');
  // Clients of the engine that are attached to a running command leave only at the third TERM.
  for (const ms of TERM_STEPS_MS) {
    if (await goneWithin(ms)) return;
    target.send('SIGTERM');
  }
  if (await goneWithin(TERM_GRACE_MS - TERM_STEPS_MS[0] - TERM_STEPS_MS[1])) return;
  target.send('SIGKILL');
  await goneWithin(KILL_WAIT_MS);
}

/** Whether nothing is left to end within that time; looks at every step of the clock. */
function gone(
  target: { isGone(): boolean },
  clock: Clock,
  withinMs: number,
  { closed, signal }: { readonly closed?: Promise<void> | undefined; readonly signal?: AbortSignal | undefined },
): Promise<boolean> {
  return new Promise((resolve) => {
    const isOver = (): boolean => signal?.aborted === true || target.isGone();
    if (isOver()) return resolve(true);
    const until = clock.now() + withinMs;
    const look = (): void => {
      const over = isOver();
      if (!over && clock.now() < until) return;
      ticker.stop();
      signal?.removeEventListener('abort', look);
      resolve(over);
    };
    const ticker = clock.tickerFunc(POLL_MS, look, 'cli-group');
    signal?.addEventListener('abort', look, { once: true });
    void closed?.then(look);
  });
}
