import { constants } from 'node:os';
import { deadlineScope, sleep } from '../async/abort.ts';
import type { ContainerEngine, SubAgentExit } from '../agentcontainers/ports.ts';
import type { Clock } from '../clock/clock.ts';
import { isAgentContainersError } from '../errors.ts';

type Classified = Pick<SubAgentExit, 'reason' | 'message'>;

const KILLED = 137;
/** A container that is being killed still counts as running for a moment after its processes are gone. */
const RECHECK_MS = 100;
const LOOKS = 4;
const INSPECT_TIMEOUT_MS = 5_000;

/** Why a process ended that nobody asked to. Asks the engine only where the exit code leaves it open. Never rejects. */
export async function classifyExit(
  engine: ContainerEngine,
  clock: Clock,
  containerId: string,
  exitCode: number | null,
): Promise<Classified> {
  if (exitCode !== null && exitCode !== KILLED) {
    const signal = exitCode > 128 ? signalName(exitCode - 128) : undefined;
    return signal === undefined
      ? { reason: 'exit', message: `The sub-agent ended with code ${exitCode}.` }
      : { reason: 'signal', message: `The sub-agent was ended by ${signal}.` };
  }
  const scope = deadlineScope(clock, INSPECT_TIMEOUT_MS, 'Looking at the container');
  try {
    for (let look = 0; look < LOOKS; look++) {
      if (look > 0) await sleep(clock, RECHECK_MS, scope.signal, 'sub-agent: recheck');
      const container = await engine.inspectContainer(containerId, scope.signal);
      if (container.oomKilled) return { reason: 'oom', message: 'The sub-agent was ended for lack of memory.' };
      if (!container.running) return containerGone;
    }
  } catch (error) {
    if (isAgentContainersError(error, 'engine-object-not-found')) return containerGone;
    if (exitCode === null) {
      return {
        reason: 'connection-lost',
        message: 'The connection to the sub-agent was lost with that to the engine.',
      };
    }
  } finally {
    scope.release();
  }
  return exitCode === KILLED
    ? { reason: 'signal', message: 'The sub-agent was ended by SIGKILL.' }
    : { reason: 'connection-lost', message: 'The connection to the sub-agent was lost; its container still runs.' };
}

const containerGone: Classified = { reason: 'container-gone', message: 'The container of the sub-agent stopped.' };

function signalName(number: number): string | undefined {
  return Object.entries(constants.signals).find(([, value]) => value === number)?.[0];
}
