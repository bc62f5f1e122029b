import type { Clock } from '../clock/clock.ts';
import type { Logger } from '../logger.ts';
import type { BuildKitProbe } from './build-kit.ts';
import type { BuildLocks } from './build-locks.ts';
import type { EngineExecutables } from './cli-arguments.ts';
import type { RunCli } from './cli-run.ts';
import type { Redact } from './redaction.ts';
import type { OpenRunFolder } from './run-folder.ts';

/** What the commands of the CLI share. */
export interface CliParts {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly executables: EngineExecutables;
  /** Where the CLI keeps the compose files that it makes; `undefined`: it makes them anew when it needs them. */
  readonly stateDirectory?: string | undefined;
  readonly runCli: RunCli;
  readonly openRunFolder: OpenRunFolder;
  readonly locks: BuildLocks;
  readonly buildKit: BuildKitProbe;
  /** Environment of the next run. Rejects with what finding the engine rejected with, or with `cancelled`. */
  readonly environment: (signal: AbortSignal) => Promise<CliEnvironment>;
}

export interface CliEnvironment {
  readonly env: Readonly<Record<string, string>>;
  /** Takes its secrets out of a text. */
  readonly redact: Redact;
}
