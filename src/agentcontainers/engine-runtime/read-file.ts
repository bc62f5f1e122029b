import type { ExecSession } from '../ports.ts';
import { AgentContainersError } from '../../errors.ts';
import { plainLine } from '../../text/plain-text.ts';
import { needsResident } from './needs-resident.ts';
import { failureReason, readBeginning } from './run-short-command.ts';
import type { CommandResult } from './run-short-command.ts';

const SAID_BYTES = 8_192;

/**
 * What a command prints of a file. Throws when it did not print all of it: output also ends where it breaks off. The
 * session is closed when its reader leaves.
 * @param options.atLeast bytes that the file, or the part of it, had before
 */
export async function* readFile(
  session: ExecSession,
  options: { readonly doing: string; readonly atLeast: number; readonly signal: AbortSignal | undefined },
): AsyncGenerator<Uint8Array> {
  const { doing, atLeast, signal } = options;
  const said = readBeginning(session.stderr, SAID_BYTES);
  let length = 0;
  try {
    for await (const chunk of session.stdout) {
      length += chunk.length;
      yield chunk;
    }
    const { exitCode } = await session.exited;
    signal?.throwIfAborted();
    if (exitCode === null) throw brokenOff(doing, 'the engine cannot tell how it ended');
    const stderr = await said;
    if (exitCode !== 0) throw fileFailure(doing, { exitCode, stdout: '', stderr });
    // What stands at the end of a pipe ends well, also where what is before it does not.
    if (length < atLeast && stderr.trim() !== '') throw refused(doing, plainLine(stderr.trim()));
    if (length < atLeast) throw brokenOff(doing, `it ended after ${length} of ${atLeast} bytes`);
  } finally {
    session.close();
  }
}

/** Why a command that works on files did not do its work. */
export function fileFailure(doing: string, result: CommandResult): AgentContainersError {
  const reason = plainLine(failureReason(result));
  return result.exitCode === 127 || result.exitCode === 126 ? needsResident(doing, reason) : refused(doing, reason);
}

function refused(doing: string, reason: string): AgentContainersError {
  return new AgentContainersError('command-refused', `${doing} failed: ${reason}.`);
}

function brokenOff(doing: string, reason: string): AgentContainersError {
  return new AgentContainersError('runtime-unavailable', `${doing} failed: ${reason}.`);
}
