import { randomUUID } from 'node:crypto';

import type { ProcessIdentity } from '../agentcontainers/ports.ts';
import type { Clock } from '../clock/clock.ts';
import { errorMessage } from '../errors.ts';
import type { Logger } from '../logger.ts';
import { createLineSplitter } from '../text/line-splitter.ts';
import { notStarted, throwIfAborted } from './cli-errors.ts';
import { cliScript } from './cli-script.ts';
import { identityOfRun, runMark } from './end-process.ts';
import { nodeExecutable, runProcessGroup, type ProcessGroupExit } from './process-group.ts';
import type { RunFolder } from './run-folder.ts';

const MAX_LOG_LINE = 1024 * 1024;
const MAX_ANSWER = 8 * 1024 * 1024;

export interface CliRunSpec {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Where the CLI keeps its temporary files; default: where it likes. */
  readonly folder?: RunFolder | undefined;
  readonly onStdoutLine: (line: string) => void;
  readonly onStderrLine: (line: string) => void;
  readonly onSpawn?: ((process: ProcessIdentity) => void) | undefined;
  readonly signal: AbortSignal;
}

/** Runs the CLI once. Rejects with `cancelled`, `cli-missing` or `cli-failed`. */
export type RunCli = (spec: CliRunSpec) => Promise<ProcessGroupExit>;

export function createRunCli(options: {
  /** Another `devcontainer.js` than the one of the installed package. */
  readonly cliPath?: string | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
}): RunCli {
  const { clock, logger } = options;

  return async (spec) => {
    const { signal, folder } = spec;
    const script = await cliScript(options.cliPath);
    throwIfAborted(signal);
    const stdout = createLineSplitter(MAX_ANSWER, (line, cut) => spec.onStdoutLine(cut ? '' : line));
    const stderr = createLineSplitter(MAX_LOG_LINE, spec.onStderrLine);
    const run = randomUUID();
    let exit: ProcessGroupExit;
    try {
      exit = await runProcessGroup({
        file: nodeExecutable,
        args: [...(folder === undefined ? [] : ['--require', folder.preload]), script, ...spec.args],
        env: { ...spec.env, ...runMark(run) },
        onStdout: (chunk) => stdout.push(chunk),
        onStderr: (chunk) => stderr.push(chunk),
        onSpawn(pid) {
          try {
            spec.onSpawn?.(identityOfRun(pid, run));
          } catch (error) {
            logger.error({ err: errorMessage(error) }, 'A listener for the start of a process failed.');
          }
        },
        clock,
        signal,
      });
    } catch (error) {
      throw notStarted(error);
    }
    throwIfAborted(signal);
    stdout.end();
    stderr.end();
    return exit;
  };
}
