const MAX_GRACE_MS = 60_000;

/** Milliseconds between TERM and KILL as a resident takes them. */
export function clampGrace(graceMs: number): number {
  return Number.isFinite(graceMs) ? Math.min(Math.max(0, Math.trunc(graceMs)), MAX_GRACE_MS) : MAX_GRACE_MS;
}
