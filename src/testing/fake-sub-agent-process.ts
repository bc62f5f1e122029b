import type { ContainerRuntime, LaunchRequest, SubAgentExit, SubAgentProcess } from '../agentcontainers/ports.ts';

/** A sub-agent process that a test plays. */
export interface FakeSubAgentProcess extends SubAgentProcess {
  readonly request: LaunchRequest;
  readonly running: boolean;
  /** It was let go of: it runs on in its container, and does not count as running here. */
  readonly isDetached: boolean;
  /** The grace of each `stop` that it was asked for, in ms. */
  readonly stops: readonly number[];
  /** Says that it is busy with this, or, without a reason, that it is not any more. */
  reportBusy(reason?: string): void;
  /** Ends by itself, with code 0 unless said otherwise. */
  exit(how?: Partial<SubAgentExit>): void;
  /** Ends with code 1 and the given last output. */
  crash(outputTail?: string): void;
  /** From now on it does not end when asked to; `stop` then gives up and the process stays. */
  ignoreStop(): void;
}

/** @param runtime what it serves; with it, it can be let go of */
export function createFakeSubAgentProcess(
  request: LaunchRequest,
  version: string | undefined,
  runtime?: ContainerRuntime,
): FakeSubAgentProcess {
  const stops: number[] = [];
  let running = true;
  let isDetached = false;
  let deaf = false;
  let busy: string | undefined;
  let settle: (exit: SubAgentExit) => void = () => {};
  const exited = new Promise<SubAgentExit>((resolve) => {
    settle = resolve;
  });

  function exit(how: Partial<SubAgentExit> = {}): void {
    if (!running) return;
    running = false;
    request.signal.removeEventListener('abort', onAbort);
    reportBusy(undefined);
    const { exitCode = 0, reason = 'exit', outputTail = '' } = how;
    settle({
      reason,
      exitCode,
      outputTail,
      message: how.message ?? `The sub-agent ended (${reason}, code ${exitCode}).`,
    });
  }

  function reportBusy(reason: string | undefined): void {
    if (reason === busy) return;
    busy = reason;
    request.onBusy?.(reason);
  }

  function askToEnd(): void {
    if (!deaf) exit({ reason: 'stopped' });
  }
  const onAbort = askToEnd;
  request.signal.addEventListener('abort', onAbort, { once: true });

  return {
    request,
    version,
    exited,
    stops,
    get running() {
      return running;
    },
    get isDetached() {
      return isDetached;
    },
    reportBusy(reason) {
      if (running) reportBusy(reason);
    },
    exit,
    crash: (outputTail = '') => exit({ exitCode: 1, outputTail }),
    ignoreStop() {
      deaf = true;
    },
    async stop(graceMs) {
      stops.push(graceMs);
      askToEnd();
    },
    ...(runtime && {
      runtime,
      async detach() {
        isDetached = running;
        exit({ reason: 'stopped', message: 'The sub-agent was let go of and runs on.' });
      },
    }),
  };
}
