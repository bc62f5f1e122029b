import type { Clock } from '../clock/clock.ts';

const WINDOW_MS = 10_000;
const LINES_PER_WINDOW = 200;

/**
 * Hands a process's lines on, but no more than 200 in 10 s: the log that takes them is bounded, and a process that
 * chatters must not push out of it what the build and the hooks said. What was left out is counted.
 */
export function createOutputRelay(clock: Clock, onLine: (line: string) => void): (line: string) => void {
  let windowEnds = 0;
  let left = 0;
  let omitted = 0;
  return (line) => {
    const now = clock.now();
    if (now >= windowEnds) {
      if (omitted > 0) onLine(`(${omitted} lines left out)`);
      windowEnds = now + WINDOW_MS;
      left = LINES_PER_WINDOW;
      omitted = 0;
    }
    if (left > 0) onLine(line);
    else omitted++;
    left--;
  };
}
