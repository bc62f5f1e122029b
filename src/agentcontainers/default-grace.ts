/** Milliseconds between TERM and KILL of a command, unless its caller says otherwise. */
export const DEFAULT_GRACE_MS = 2_000;
