import type { ContainerDetails, LaunchRequest } from '../../agentcontainers/ports.ts';
import { errorMessage } from '../../errors.ts';
import type { Logger } from '../../logger.ts';
import { commandEnvironment } from './command-environment.ts';
import type { ResidentAgent } from './resident-agent.ts';
import { nothingSchema } from './wire.ts';

const ANSWER_MS = 5_000;

/** Gives an agent the environment of commands that is known only now. Without it they have the one before. Never rejects. */
export async function giveEnvironment(
  agent: ResidentAgent,
  request: Pick<LaunchRequest, 'commandEnv' | 'containerId'>,
  parts: {
    readonly container: Pick<ContainerDetails, 'env' | 'hostname'>;
    readonly logger: Logger;
    readonly signal: AbortSignal;
  },
): Promise<void> {
  const { container, logger, signal } = parts;
  const given = await request.commandEnv?.(signal);
  if (!given || signal.aborted) return;
  const doing = 'Giving commands their environment';
  try {
    await agent.request({
      doing,
      method: 'PUT',
      path: '/v1/environment',
      json: { env: commandEnvironment(container, given) },
      schema: nothingSchema,
      timeoutMs: ANSWER_MS,
      mayRepeat: true,
      signal,
    });
  } catch (error) {
    if (signal.aborted) return;
    logger.warn({ err: error, container: request.containerId }, errorMessage(error));
  }
}
