import type { Instant } from './clock.ts';

/** The furthest instant that a date can name; what lies beyond it, and NaN, is shown as the epoch. */
const MAX_INSTANT = 8.64e15;

/** `2025-01-31T12:00:00.000Z`. Never throws: instants can come from an engine's answer. */
export function rfc3339(at: Instant): string {
  return new Date(Math.abs(at) <= MAX_INSTANT ? at : 0).toISOString();
}
