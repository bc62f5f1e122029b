import type { ServerResponse } from 'node:http';
import type { DevcontainerRuntime } from '../agentcontainers/api.ts';
import { exitCodeOf } from '../agentcontainers/bash/run-bash.ts';
import type { CommandExit, OutputChunk } from '../agentcontainers/ports.ts';
import { raceAbort } from '../async/abort.ts';
import { errorMessage } from '../errors.ts';
import { beginLines, endLines, writeLine } from './json-lines.ts';
import { LIMITS } from './limits.ts';
import { OffsetEncoder } from './offset-encoder.ts';
import type { OpenStreams } from './open-streams.ts';
import { toTextOrBase64, incompleteTail } from './output-encoder.ts';
import type { OutputQueryInput } from './runtime-request-schemas.ts';
import { toExitLine } from './runtime-wire.ts';
import type { WireExecLine, WireOutputPage } from './runtime-wire-schemas.ts';

type ExitLine = Extract<WireExecLine, { type: 'exit' }>;

/** A piece of what a process has written, which ends at a whole character where it can. */
export async function readOutputPage(
  runtime: DevcontainerRuntime,
  id: string,
  query: OutputQueryInput,
  signal: AbortSignal,
): Promise<WireOutputPage> {
  const asked = query.offset ?? 0;
  const limit = query.limit ?? LIMITS.outputBytes;
  const piece = await readPiece(runtime.output(id, { offset: asked, waitMs: query.wait, limit, signal }), limit);
  // Looked at last, so that one that has ended is told with all of its output.
  const process = await runtime.process(id, {}, signal);
  const offset = piece?.offset ?? Math.max(asked, process.output.start);
  const all = piece?.bytes ?? Buffer.alloc(0);
  const isLast = !process.running && offset + all.length >= process.output.end;
  const bytes = isLast ? all : wholeCharacters(all);
  return {
    ...toText(bytes),
    offset,
    next_offset: offset + bytes.length,
    end: process.output.end,
    running: process.running,
    ...(process.exit && toEnd(process.exit)),
  };
}

/** Up to the first gap: what comes after it is another piece. */
async function readPiece(
  chunks: AsyncIterable<OutputChunk>,
  limit: number,
): Promise<{ readonly offset: number; readonly bytes: Buffer } | undefined> {
  const pieces: Uint8Array[] = [];
  let offset: number | undefined;
  let size = 0;
  for await (const chunk of chunks) {
    offset ??= chunk.offset;
    if (chunk.offset !== offset + size) break;
    const bytes = chunk.bytes.subarray(0, limit - size);
    pieces.push(bytes);
    size += bytes.length;
    if (size >= limit) break;
  }
  return offset === undefined ? undefined : { offset, bytes: Buffer.concat(pieces) };
}

/** Without a character that is not whole; something is always left, so that whoever asks again gets on. */
function wholeCharacters(bytes: Buffer): Buffer {
  const end = bytes.length - incompleteTail(bytes);
  return end > 0 ? bytes.subarray(0, end) : bytes;
}

function toText(bytes: Buffer): { output: string; encoding?: 'base64' } {
  const { data, encoding } = toTextOrBase64(bytes);
  return encoding === undefined ? { output: data } : { output: data, encoding };
}

function toEnd(exit: CommandExit): { exit_code: number | null; reason: CommandExit['reason'] } {
  return { exit_code: exitCodeOf(exit), reason: exit.reason };
}

/** What a process has written and will write, as JSON lines; the last one says how it ended. Ends nothing but itself. */
export async function streamOutput(
  streams: OpenStreams,
  runtime: DevcontainerRuntime,
  res: ServerResponse,
  id: string,
  offset: number,
): Promise<void> {
  await streams.run(res, async (ending) => {
    // Asked first: an unknown process must be a 404, and its first byte may be long in coming.
    const process = await runtime.process(id, {}, ending);
    beginLines(res);
    const other = { type: 'exit', code: null, signal: null, via: process.via } as const;
    let last: ExitLine;
    try {
      const output = runtime.output(id, { offset, follow: true, signal: ending });
      await raceAbort(copyLines(output, res, ending), ending);
      const { exit } = await runtime.process(id, {}, ending);
      last = exit ? toExitLine(exit) : { ...other, reason: 'lost', message: 'Its output ended before it did.' };
    } catch (error) {
      const message = errorMessage(error);
      last = ending.aborted
        ? { ...other, reason: 'closed', message: 'The server closes. The process runs on.' }
        : { ...other, reason: 'lost', message };
    }
    endLines(res, last);
  });
}

async function copyLines(chunks: AsyncIterable<OutputChunk>, res: ServerResponse, ending: AbortSignal): Promise<void> {
  const encoder = new OffsetEncoder();
  for await (const chunk of chunks) {
    for (const line of encoder.push(chunk)) if (!(await writeLine(res, line, ending))) break;
    ending.throwIfAborted();
  }
  ending.throwIfAborted();
  for (const line of encoder.end()) await writeLine(res, line, ending);
}
