import { AgentContainersError, errorMessage, isCancelled } from '../../errors.ts';

/** For a `catch`: nothing where there is nothing, else the error for people. */
export function missing(error: unknown): undefined {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
  throw localError(error);
}

/** Node's own messages name the call and the path; the reason is enough for a person. */
export function localError(error: unknown): unknown {
  const { code } = error as NodeJS.ErrnoException;
  if (isCancelled(error)) return new AgentContainersError('cancelled', 'Cancelled.', { cause: error });
  if (error instanceof AgentContainersError || code === undefined) return error;
  const reason = errorMessage(error)
    .replace(/^[A-Z0-9]+: /, '')
    .replace(/, [a-z]+(?: '.*)?$/s, '');
  return new AgentContainersError('local-file-failed', `Using the file on this machine failed: ${reason} (${code}).`, {
    cause: error,
  });
}
