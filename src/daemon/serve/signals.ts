import { constants } from 'node:os';

export interface ShutdownOptions {
  /** How long a graceful end may take. */
  readonly graceMs: number;
  /** Begins the graceful end. Called once. */
  close(reason: string): Promise<void>;
  /** Tells people what happens. */
  say(message: string): void;
  /** Ends the process at once; `process.exit` but in tests. */
  exit(code: number): void;
}

const SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;

/**
 * The first signal ends the daemon gracefully, a second one at once with 128 + its number. An end that takes longer
 * than `graceMs` is forced with status 1. Resolves with the exit code when the graceful end is through.
 *
 * The timer does not keep the process alive by itself, so it also ends a process that something left running.
 */
export function shutdownOnSignal(options: ShutdownOptions, source: NodeJS.EventEmitter = process): Promise<number> {
  return new Promise((resolve) => {
    let first: string | undefined;
    const end = (reason: string, exitCode: number): void => {
      first = reason;
      options.say(`${reason}: closing. A second signal ends at once.`);
      const force = setTimeout(() => {
        options.say(
          `Closing took longer than ${options.graceMs / 1_000} s and was cut short; the next start puts things right.`,
        );
        options.exit(1);
      }, options.graceMs);
      force.unref();
      options.close(reason).then(
        () => resolve(exitCode),
        () => resolve(1),
      );
    };
    for (const signal of SIGNALS) {
      source.on(signal, () => {
        if (first === undefined) end(signal, 0);
        else options.exit(128 + constants.signals[signal]);
      });
    }
    for (const event of ['uncaughtException', 'unhandledRejection']) {
      source.on(event, (error: unknown) => {
        const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
        options.say(`This is a fault of agentcontainers: ${message}`);
        if (first === undefined) end('Fault', 1);
      });
    }
  });
}
