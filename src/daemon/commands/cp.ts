import { createDeferred } from '../../async/deferred.ts';
import { AgentContainersError } from '../../errors.ts';
import { EXIT } from '../exit-codes.ts';
import { plainText } from '../output/plain-text.ts';
import type { EndingSignal, SessionWorld } from '../session/run-session.ts';
import { processWorld } from '../session/session-world.ts';
import { leftCode } from './conclude-exit.ts';
import { createContainerFolder } from './container-files.ts';
import { type CommandContext, devcontainerPath, findDevcontainer, type LocationFlags } from './context.ts';
import { copyFromStream, copyIn } from './copy-in.ts';
import { copyOut, copyToStream } from './copy-out.ts';
import { type CopyEnd, parseCopyPath } from './copy-path.ts';
import { type CopyReport, createCopyReport, sizeText } from './copy-report.ts';

/**
 * Copies between this machine and a container. Exit code 1 when a part of it could not be copied.
 *
 * @param exit for an end that what is written still would hold up
 */
export async function cp(
  { client, output }: CommandContext,
  _flags: LocationFlags,
  from: string,
  to: string,
  world: SessionWorld = processWorld(),
  exit: (code: number) => void = (code) => process.exit(code),
): Promise<number> {
  const source = parseCopyPath(from);
  const target = parseCopyPath(to);
  const inside = [source, target].flatMap((end) => (end.kind === 'container' ? [end] : []));
  const [container] = inside;
  if (container === undefined || inside.length > 1) throw refusedEnds(inside.length);
  if (output.json && target.kind === 'stream') {
    throw new AgentContainersError(
      'invalid-request',
      'Copying to standard output failed: --json writes there too. Give one of them.',
    );
  }
  const entry = await findDevcontainer(client, container.name);

  const aborting = new AbortController();
  const report = createCopyReport(output);
  let interruptedBy: EndingSignal | undefined;
  const unlisten = world.onSignals((signal) => {
    interruptedBy ??= signal;
    aborting.abort();
    // The next one ends the process at once, as it does without us.
    unlisten();
  });
  const folder = createContainerFolder(client, devcontainerPath(entry.id), aborting.signal);
  try {
    await copy(folder, source, target, report, world, aborting.signal);
  } catch (error) {
    if (interruptedBy === undefined) throw error;
    report.end();
    output.note('Interrupted; a file that was not whole yet is not there.');
    const code = leftCode(interruptedBy);
    if (target.kind === 'stream' && world.stdio.stdout.writableLength > 0) exit(code);
    return code;
  } finally {
    report.end();
    unlisten();
    // One that stays open would hold up the end of this process.
    if (source.kind === 'stream') world.stdio.stdin.destroy();
  }

  const { result } = report;
  output.result(result);
  if (output.interactive) {
    const files = result.files === 1 ? '1 file' : `${result.files} files`;
    output.note(
      `Copied ${files}, ${sizeText(result.bytes)}, ${target.kind === 'container' ? 'to' : 'from'} ${plainText(entry.name)}.`,
    );
  }
  return result.failed.length > 0 ? EXIT.failed : EXIT.ok;
}

async function copy(
  folder: ReturnType<typeof createContainerFolder>,
  source: CopyEnd,
  target: CopyEnd,
  report: CopyReport,
  { stdio }: SessionWorld,
  signal: AbortSignal,
): Promise<void> {
  if (source.kind === 'container') {
    if (target.kind === 'local') return copyOut(folder, source.path, target.path, report, signal);
    return copyToStream(folder, source.path, (bytes) => written(stdio.stdout, bytes, signal), report);
  }
  if (target.kind !== 'container') return;
  if (source.kind === 'local') return copyIn(folder, source.path, target.path, report);
  return copyFromStream(folder, stdio.stdin, target.path, report);
}

/** Waits while the reader is slow, so that memory stays bounded; rejects when it is one no more, or with the signal. */
async function written(stream: NodeJS.WriteStream, bytes: Uint8Array, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  if (stream.writable && stream.write(bytes)) return;
  const settled = createDeferred<void>();
  const drained = (): void => settled.resolve();
  const closed = (): void =>
    settled.reject(new AgentContainersError('cancelled', 'Writing standard output failed: nobody reads it any more.'));
  const aborted = (): void => settled.reject(signal.reason);
  stream.on('drain', drained).on('close', closed).on('error', closed);
  signal.addEventListener('abort', aborted);
  if (!stream.writable) closed();
  try {
    await settled.promise;
  } finally {
    stream.removeListener('drain', drained).removeListener('close', closed).removeListener('error', closed);
    signal.removeEventListener('abort', aborted);
  }
}

function refusedEnds(containers: number): AgentContainersError {
  const why =
    containers === 0
      ? 'neither end is in a dev container. Write <name>:<path> for one of them'
      : 'both ends are in dev containers. Copy to this machine first, or through a pipe: agentcontainers cp <name>:<file> - | agentcontainers cp - <name>:<file>';
  return new AgentContainersError('invalid-request', `Copying failed: ${why}.`);
}
