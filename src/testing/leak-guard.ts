/** Something that can say what was left open in it. */
export interface LeakSource {
  /** One readable line for each thing that is still open; empty when there is none. */
  leaks(): readonly string[];
}

export interface LeakGuard {
  /** Throws an error that names everything that was left open. Call it after `close()`. */
  assertNoLeaks(): void;
}

/** Asks every source what was left open. */
export function createLeakGuard(sources: readonly LeakSource[]): LeakGuard {
  return {
    assertNoLeaks() {
      const leaks = sources.flatMap((source) => source.leaks());
      if (leaks.length > 0) throw new Error(['Something was left open:', ...leaks].join('\n- '));
    },
  };
}
