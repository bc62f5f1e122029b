import { AgentContainersError, isAgentContainersError } from '../../errors.ts';
import { explainTo } from '../output/explain.ts';
import type { Output } from '../output/output.ts';
import { plainText } from '../output/plain-text.ts';

function textOf(error: AgentContainersError): string {
  const { detail } = error.details;
  return typeof detail === 'string' && detail !== '' ? detail : error.message;
}

/** True when nothing was started, since only a resident could have given it a terminal. */
export function isTerminalRefused(error: unknown): error is AgentContainersError {
  return isAgentContainersError(error, 'runtime-unavailable') && error.details['reason'] === 'resident-needed';
}

/** The same error, with what is possible instead. */
export function withoutTerminal(error: AgentContainersError, name: string): AgentContainersError {
  const next = `Commands without a terminal run there: agentcontainers exec -T ${plainText(name)} -- <command>; ps, kill and cp work as well.`;
  return new AgentContainersError(error.code, textOf(error), {
    cause: error,
    details: { status: error.details['status'], next },
  });
}

/**
 * Tells why a command was not started, and returns the exit code for that as shells have it: 127 when its program is not
 * there, 126 otherwise. Any other error is thrown again.
 */
export function concludeRefusal(output: Output, error: unknown, name: string): number {
  if (!isAgentContainersError(error, 'command-refused')) throw error;
  const { reason } = error.details;
  const code = reason === 'program-not-found' ? 127 : 126;
  if (output.json) {
    output.error(error);
    return code;
  }
  const explain = explainTo(output);
  explain.error(textOf(error));
  const next = nextStep(reason, name);
  if (next !== undefined) explain.note(next);
  return code;
}

function nextStep(reason: unknown, name: string): string | undefined {
  if (reason === 'cwd-not-found') {
    return `Name another folder with --workdir, or leave it out for the workspace: agentcontainers exec ${name} -- ls`;
  }
  if (reason !== 'user-not-found') return undefined;
  return `These are its users: agentcontainers exec ${name} -- cut -d: -f1 /etc/passwd`;
}
