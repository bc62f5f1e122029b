import type { NewId } from '../agentcontainers/ports.ts';

/**
 * UUIDs (in form: version 4) that count from 1.
 *
 * @param series one hex digit that keeps several counters apart
 */
export function countingIds(series = '0'): NewId {
  let count = 0;
  return () => `0000000${series}-0000-4000-8000-${String(++count).padStart(12, '0')}`;
}
