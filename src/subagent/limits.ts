/** Bounds of delivery and supervision. Times in ms on the injected clock. */
export interface LauncherLimits {
  /** One look into the container: the version call, reading its mounts. */
  readonly commandTimeoutMs: number;
  /** Copying through a shell. */
  readonly copyTimeoutMs: number;
  /** From the start to the ready line. */
  readonly readyTimeoutMs: number;
  /** Without a ready line: an end within this time is a failed start. */
  readonly settleMs: number;
  /** Time to end by itself when the launch's signal aborts. */
  readonly abortGraceMs: number;
  /** Larger files are read anew for each delivery. */
  readonly cachedFileBytes: number;
  readonly cachedBytes: number;
  /** Of how many containers the way that worked is remembered. */
  readonly rememberedContainers: number;
}

export const DEFAULT_LIMITS: LauncherLimits = {
  commandTimeoutMs: 10_000,
  copyTimeoutMs: 60_000,
  readyTimeoutMs: 10_000,
  settleMs: 250,
  abortGraceMs: 5_000,
  cachedFileBytes: 16 * 1_048_576,
  cachedBytes: 32 * 1_048_576,
  rememberedContainers: 1_000,
};
