import { randomBytes } from 'node:crypto';
import type { ContainerEngine, LaunchRequest, SubAgentProcess } from '../../agentcontainers/ports.ts';
import type { Clock } from '../../clock/clock.ts';
import { AgentContainersError, isAgentContainersError, reasonOf } from '../../errors.ts';
import type { Logger } from '../../logger.ts';
import type { LauncherLimits } from '../limits.ts';
import { launchResident } from './resident-process.ts';

export interface ResidentLauncherParts {
  readonly engine: ContainerEngine;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly limits: LauncherLimits;
  /** `undefined`: a random one, and nothing is left running. */
  readonly secret: string | undefined;
}

/**
 * Launches residents. Rejects with `sub-agent-start-failed`; `onCannotRun` is called before when its program could not be
 * run at all. Aborting the request's signal ends the process.
 */
export function createResidentLauncher(
  parts: ResidentLauncherParts,
): (request: LaunchRequest, onCannotRun: () => void) => Promise<SubAgentProcess> {
  const { limits, secret = randomBytes(32).toString('hex') } = parts;
  return async (request, onCannotRun) => {
    const { signal } = request;
    const launched = await launchResident({
      ...parts,
      request,
      secret,
      canDetach: parts.secret !== undefined,
      timeoutMs: limits.readyTimeoutMs,
    }).catch((error: unknown) => {
      signal.throwIfAborted();
      const exitCode = isAgentContainersError(error) ? error.details['exitCode'] : undefined;
      if (exitCode === null || exitCode === 126 || exitCode === 127) onCannotRun();
      throw startFailed(request, error);
    });
    if (signal.aborted) {
      // It may have been adopted, with all that runs under it: whoever comes next finds it.
      await (launched.detach?.() ?? launched.stop(limits.abortGraceMs));
      signal.throwIfAborted();
    }
    const onAbort = (): void => void launched.stop(limits.abortGraceMs);
    signal.addEventListener('abort', onAbort, { once: true });
    void launched.exited.then(() => signal.removeEventListener('abort', onAbort));
    return launched;
  };
}

function startFailed({ containerId }: LaunchRequest, error: unknown): AgentContainersError {
  const reason = isAgentContainersError(error) ? error.details['reason'] : undefined;
  const next =
    reason === 'wrong-token'
      ? 'Another daemon started the one that runs there; end it, or restart the container.'
      : 'Check that the container runs.';
  return new AgentContainersError(
    'sub-agent-start-failed',
    `Starting the sub-agent in container ${containerId.slice(0, 12)} failed: ${reasonOf(error)}. ${next}`,
    { cause: error, details: { reason } },
  );
}
