import { createOutputTail, type OutputTail } from './output-tail.ts';

/** One thing that a run did, with what came of it. */
export interface RecentStep {
  readonly phase: string;
  /** The command of the step; for a hook what the configuration says. */
  command: string | undefined;
  exitCode: number | undefined;
  readonly tail: OutputTail;
}

export interface RecentSteps {
  readonly current: RecentStep;
  begin(phase: string, command: string | undefined): void;
  /** The latest step with this command; compared by its first line, which is all that is known of some. */
  withCommand(command: string): RecentStep | undefined;
  withPhase(phase: string): RecentStep | undefined;
}

/** More than the CLI does to tidy up after a failure. */
const MAX_STEPS = 16;

/** The last steps of a run: after the one that failed, others follow. */
export function createRecentSteps(): RecentSteps {
  const steps: RecentStep[] = [];
  let current = newStep('other', undefined);

  return {
    get current() {
      return current;
    },
    begin(phase, command) {
      current = newStep(phase, command);
      steps.push(current);
      if (steps.length > MAX_STEPS) steps.shift();
    },
    withCommand: (command) =>
      steps.findLast((step) => step.command !== undefined && firstLine(step.command) === firstLine(command)),
    withPhase: (phase) => steps.findLast((step) => step.phase === phase),
  };
}

function newStep(phase: string, command: string | undefined): RecentStep {
  return { phase, command, exitCode: undefined, tail: createOutputTail() };
}

function firstLine(text: string): string {
  return (text.split('\n', 1)[0] ?? '').trim();
}
