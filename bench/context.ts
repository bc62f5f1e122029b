import type { Cleanup } from './cleanup.ts';
import type { RunningDaemon } from './daemon.ts';
import type { BenchEngine } from './engine.ts';
import type { Fleet } from './containers.ts';

/** What the cases share. */
export interface BenchContext {
  readonly engine: BenchEngine;
  readonly cleanup: Cleanup;
  /** Progress, on standard error. */
  say(text: string): void;
  /** 100 running dev containers, made with the first call. */
  hundredRunning(): Promise<Fleet & { readonly ids: readonly string[] }>;
  /** A daemon that has adopted these, with a sub-agent in each; started with the first call. */
  daemonOfHundred(): Promise<RunningDaemon>;
  /** Ends that daemon and removes the 100. */
  endHundred(): Promise<void>;
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Asks again and again, for `timeoutMs` at most. */
export async function until(what: string, timeoutMs: number, isTrue: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + timeoutMs;
  while (!(await isTrue())) {
    if (performance.now() > end) throw new Error(`Waiting until ${what} failed: ${timeoutMs / 1_000} s went by.`);
    await sleep(20);
  }
}
