import type { ExecSession } from '../agentcontainers/ports.ts';
import { AgentContainersError } from '../errors.ts';

/** The session of a command that the engine took and then refused to start, e.g. since there is no such user. */
export function refusedSession(id: string, reason: AgentContainersError): ExecSession {
  const error = new AgentContainersError(reason.code, reason.message, {
    cause: reason.cause,
    details: { ...reason.details, exitCode: 126 },
  });
  const exited = Promise.reject(error);
  // A caller that only reads its output must not see an unhandled rejection.
  exited.catch(() => {});
  return {
    id,
    stdout: nothing(),
    stderr: nothing(),
    write: () => Promise.reject(error),
    closeStdin: () => {},
    exited,
    close: () => {},
  };
}

async function* nothing(): AsyncGenerator<Uint8Array, void, undefined> {}
