import { AgentContainersError, isAgentContainersError } from '../../errors.ts';
import type { ClientAnswer, ClientRequest, DaemonClient } from '../client/client.ts';
import type { RefusalDetails } from '../output/refusal-lines.ts';
import { plainText } from '../output/plain-text.ts';

/** Sends a request about a devcontainer; a refusal says what to do next, in the words of the command line. */
export async function sendAbout(client: DaemonClient, name: string, request: ClientRequest): Promise<ClientAnswer> {
  try {
    return await client.send(request);
  } catch (error) {
    throw withNextStep(error, name);
  }
}

/** The same error, with the next step for a person at a terminal, where it is a refusal that has one. */
export function withNextStep(error: unknown, name: string): unknown {
  const next = nextStep(error, plainText(name));
  if (next === undefined || !(error instanceof AgentContainersError)) return error;
  const details: AgentContainersError['details'] & RefusalDetails = { ...error.details, next };
  return new AgentContainersError(error.code, error.message, { cause: error, details });
}

function nextStep(error: unknown, name: string): string | undefined {
  if (isAgentContainersError(error, 'devcontainer-not-trusted')) {
    return `Look at it, and accept it with \`agentcontainers trust ${name}\`; then try again.`;
  }
  if (isAgentContainersError(error, 'verdict-changed')) {
    return `Look at it again with \`agentcontainers trust ${name}\`.`;
  }
  if (isAgentContainersError(error, 'devcontainer-busy')) {
    return `\`agentcontainers ps ${name}\` shows what runs there. Try again when it has ended, or cut it off with \`agentcontainers recreate --force ${name}\`.`;
  }
  return undefined;
}
