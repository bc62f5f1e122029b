import type { BuildRequest } from '../agentcontainers/ports.ts';
import { errorMessage } from '../errors.ts';
import { unexpectedEnd } from './cli-errors.ts';
import { parseLogLine } from './cli-log.ts';
import type { CliEnvironment, CliParts } from './cli-parts.ts';
import { withoutCliTraces } from './explain-failure.ts';
import { machineCauseIn } from './failure-causes.ts';
import type { ProcessGroupExit } from './process-group.ts';
import type { RunFolder } from './run-folder.ts';
import { createRunTracker, type LastStep } from './run-tracker.ts';
import type { Hook } from './wait-for.ts';

export interface StepsRun {
  /** The last line of standard output that looks like a result. */
  readonly resultLine: string;
  readonly exit: ProcessGroupExit;
  /** See `RunTracker`. */
  lastStep(failedCommand?: string): LastStep;
  /** `cli-output-invalid`: no result, or one that the exit code contradicts. */
  unexpectedEnd(result: unknown): Error;
}

/** Runs a command of the CLI that goes through steps, and reports each. Rejects as `RunCli` does. */
export async function runWithSteps(
  { clock, logger, runCli }: CliParts,
  spec: {
    readonly args: readonly string[];
    readonly environment: CliEnvironment;
    readonly folder: RunFolder;
    readonly request: Pick<BuildRequest, 'onProgress' | 'onSpawn' | 'signal'>;
    readonly onHook?: ((hook: Hook) => void) | undefined;
    /** The container runs: nothing more is built. */
    readonly onContainerRuns?: (() => void) | undefined;
  },
): Promise<StepsRun> {
  const { args, environment, request } = spec;
  const { env, redact } = environment;
  const tracker = createRunTracker({
    onHook: (hook) => spec.onHook?.(hook),
    onStep: (step) => {
      try {
        request.onProgress({ ...step, text: redact(step.text), at: clock.now() });
      } catch (error) {
        logger.error({ err: errorMessage(error) }, 'A progress listener failed.');
      }
    },
  });
  let resultLine = '';
  const exit = await runCli({
    args,
    env,
    folder: spec.folder,
    signal: request.signal,
    onSpawn: request.onSpawn,
    onStdoutLine: (line) => {
      if (line.startsWith('{')) resultLine = line;
    },
    onStderrLine: (line) => {
      const event = parseLogLine(line);
      if (event.type === 'start' && event.text.startsWith('Run in container')) spec.onContainerRuns?.();
      tracker.accept(event);
    },
  });
  return {
    resultLine,
    exit,
    lastStep: (failedCommand) => tracker.lastStep(failedCommand),
    unexpectedEnd(result) {
      const { outputTail: tail, noise, clue } = tracker.lastStep();
      const outputTail = redact(withoutCliTraces(tail || noise));
      const cause = machineCauseIn(`${clue ?? ''}\n${noise}`);
      const known = { contradicts: result !== undefined, cause };
      return unexpectedEnd(args[0] ?? '', exit, redact(['devcontainer', ...args].join(' ')), outputTail, known);
    },
  };
}
