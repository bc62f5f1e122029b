/** `note`: neither good nor bad by itself. */
export type Verdict = 'ok' | 'note' | 'warn' | 'fail';

/** One line of `doctor`. */
export interface Finding {
  /** What was looked at: `engine`, `node`, `inotify`, … */
  readonly check: string;
  readonly verdict: Verdict;
  /** What was found. */
  readonly message: string;
  /** What a person can do; set with `warn` and `fail`. */
  readonly next?: string | undefined;
}

export const ok = (check: string, message: string): Finding => ({ check, verdict: 'ok', message });
export const note = (check: string, message: string): Finding => ({ check, verdict: 'note', message });
export const warn = (check: string, message: string, next: string): Finding => ({
  check,
  verdict: 'warn',
  message,
  next,
});
export const fail = (check: string, message: string, next: string): Finding => ({
  check,
  verdict: 'fail',
  message,
  next,
});
