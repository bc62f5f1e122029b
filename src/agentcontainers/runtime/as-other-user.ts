import { AgentContainersError, isAgentContainersError } from '../../errors.ts';
import { plainLine, shorten } from '../../text/plain-text.ts';
import type { CommandSpec, ContainerRuntime } from '../ports.ts';

const LONGEST_USER = 60;

/**
 * Starts a command. As a user that the resident may not start anything as it goes through the engine, which may, with the
 * limits of that; a terminal does not go there, and is refused.
 */
export async function asAnyUser<T>(
  runtime: ContainerRuntime,
  engine: () => Promise<ContainerRuntime>,
  spec: CommandSpec,
  start: (runtime: ContainerRuntime) => Promise<T>,
): Promise<T> {
  try {
    return await start(runtime);
  } catch (error) {
    if (!isOtherUser(error)) throw error;
    if (spec.tty) throw noTerminal(spec.user ?? '', error);
  }
  return start(await engine());
}

function isOtherUser(error: unknown): boolean {
  return isAgentContainersError(error, 'command-refused') && error.details['reason'] === 'other-user';
}

function noTerminal(user: string, cause: unknown): AgentContainersError {
  const name = JSON.stringify(shorten(plainLine(user), LONGEST_USER));
  return new AgentContainersError(
    'command-refused',
    `Opening a terminal as ${name} failed: the resident is not root and can start nothing as another user, and what goes through the engine instead has no terminal. Open one as the remote user and use sudo or su in it, or run the command without a terminal.`,
    { cause, details: { reason: 'other-user' } },
  );
}
