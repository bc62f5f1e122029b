import { deadlineScope, raceAbort } from '../../async/abort.ts';
import type { ContainerEngine, ExecSession } from '../ports.ts';
import type { Clock } from '../../clock/clock.ts';
import { errorMessage, isAgentContainersError } from '../../errors.ts';

export interface ShortCommand {
  readonly containerId: string;
  readonly argv: readonly string[];
  readonly user?: string | undefined;
  /** `KEY=value`. */
  readonly env?: readonly string[] | undefined;
  readonly stdin?: AsyncIterable<Uint8Array> | undefined;
  readonly timeoutMs: number;
  /** How much of each output is kept, from its beginning. Default 8 KiB. */
  readonly keptBytes?: number | undefined;
}

export interface CommandResult {
  /** `null`: there is no exit code, since the container ended or the engine could not tell. */
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const KEPT_BYTES = 8_192;
const WRITE_BYTES = 65_536;

/**
 * Runs a short command to its end. Rejects with the engine's error when there is no container that could run it, and
 * with `timeout` or the signal's reason. A command that cannot be started is a result with exit code 126 or 127.
 */
export async function runShortCommand(
  engine: ContainerEngine,
  clock: Clock,
  spec: ShortCommand,
  signal: AbortSignal,
): Promise<CommandResult> {
  const what = `Running ${JSON.stringify(spec.argv[0])} in container ${spec.containerId.slice(0, 12)}`;
  const scope = deadlineScope(clock, spec.timeoutMs, what, signal);
  let session: ExecSession | undefined;
  try {
    session = await engine.exec({
      containerId: spec.containerId,
      argv: spec.argv,
      user: spec.user,
      env: spec.env,
      stdin: spec.stdin !== undefined,
      signal: scope.signal,
    });
    const kept = spec.keptBytes ?? KEPT_BYTES;
    const [exit, stdout, stderr] = await raceAbort(
      Promise.all([
        session.exited,
        readBeginning(session.stdout, kept),
        readBeginning(session.stderr, kept),
        spec.stdin && feed(session, spec.stdin),
      ]),
      scope.signal,
    );
    return { exitCode: exit.exitCode, stdout, stderr };
  } catch (error) {
    scope.signal.throwIfAborted();
    const exitCode = isAgentContainersError(error) ? error.details['exitCode'] : undefined;
    if (exitCode === 126 || exitCode === 127) return { exitCode, stdout: '', stderr: errorMessage(error) };
    throw error;
  } finally {
    session?.close();
    scope.release();
  }
}

/** Why a command did not do its work, as the end of a sentence. */
export function failureReason(result: CommandResult): string {
  const text = (result.stderr.trim() || result.stdout.trim()).split('\n').at(-1) ?? '';
  const code = result.exitCode === null ? 'it ended without an exit code' : `exit code ${result.exitCode}`;
  return text === '' ? code : `${text.replace(/[.\s]+$/, '').slice(0, 300)} (${code})`;
}

/** A stream read to its end, of which only so many bytes are kept. Never rejects. */
export async function readBeginning(stream: AsyncIterable<Uint8Array>, kept: number): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    // Read to the end, so that the command never waits for us.
    for await (const chunk of stream) {
      if (size < kept) chunks.push(chunk.subarray(0, kept - size));
      size += chunk.length;
    }
  } catch {
    // The session tells how it ended.
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** A source that fails makes the whole call fail; a command that reads no further does not. */
async function feed(session: ExecSession, source: AsyncIterable<Uint8Array>): Promise<void> {
  for await (const chunk of source) {
    for (let at = 0; at < chunk.length; at += WRITE_BYTES) {
      const accepted = await session.write(chunk.subarray(at, at + WRITE_BYTES)).then(
        () => true,
        () => false,
      );
      if (!accepted) return;
    }
  }
  session.closeStdin();
}
